"""Make the relative URLs in the HTML of a body absolute: a feed is read far from the page that they refer to."""

from html import escape
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urljoin

_URL_ATTRIBUTES: Final = frozenset({"href", "src"})


def with_absolute_links(html: str, base: str) -> str:
    """Return sanitised HTML in which the URLs of links and images are absolute; `base` is the URL of its page."""
    rewriter = _Rewriter(base)
    rewriter.feed(html)
    rewriter.close()
    return "".join(rewriter.parts)


class _Rewriter(HTMLParser):
    """Copies HTML as it is, except for tags with URLs."""

    def __init__(self, base: str) -> None:
        super().__init__(convert_charrefs=False)
        self._base = base
        self.parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        source = self.get_starttag_text() or ""
        if _URL_ATTRIBUTES.isdisjoint(name for name, _ in attrs):
            self.parts.append(source)
            return
        values = (
            (name, self._absolute(value or "") if name in _URL_ATTRIBUTES else value) for name, value in attrs
        )
        written = "".join(f' {name}="{escape(value or "")}"' for name, value in values)
        self.parts.append(f"<{tag}{written}>")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        self.parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    def handle_entityref(self, name: str) -> None:
        self.parts.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.parts.append(f"&#{name};")

    def _absolute(self, url: str) -> str:
        try:
            return urljoin(self._base, url)
        except ValueError:
            return url
