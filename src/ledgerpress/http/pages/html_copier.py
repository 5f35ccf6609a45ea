"""Copies of sanitised HTML in which some tags differ, such as those with links."""

from collections.abc import Callable
from html import escape
from html.parser import HTMLParser
from typing import TypeAlias

ChangeUrl: TypeAlias = Callable[[str, str, str], str]
"""Takes the name of an element, the name of its attribute and the URL in it, and returns the URL for the copy."""


class HtmlCopier(HTMLParser):
    """Copies HTML as it is. A subclass changes tags."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.parts: list[str] = []

    def copy(self, html: str) -> str:
        """Return the copy. A copier is used once."""
        self.feed(html)
        self.close()
        return "".join(self.parts)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.parts.append(self.get_starttag_text() or "")

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


def with_changed_urls(html: str, change: ChangeUrl) -> str:
    """Return sanitised HTML with other URLs in `href` and `src`. Everything else stays as it is."""
    return _UrlChanger(change).copy(html)


class _UrlChanger(HtmlCopier):
    def __init__(self, change: ChangeUrl) -> None:
        super().__init__()
        self._change = change

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        changed = [
            (name, self._change(tag, name, value or "") if name in {"href", "src"} else value)
            for name, value in attrs
        ]
        if changed == attrs:
            super().handle_starttag(tag, attrs)
            return
        written = "".join(f' {name}="{escape(value or "")}"' for name, value in changed)
        self.parts.append(f"<{tag}{written}>")
