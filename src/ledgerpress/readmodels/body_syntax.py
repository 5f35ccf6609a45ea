"""Which Markdown a body may use, and the bounds that keep hostile Markdown cheap.

markdown-it-py takes time linear in its input, nesting being bounded; what grows without a bound is
its output where one long link definition is used many times, hence `BoundedReferences`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markdown_it.utils import EnvType

_MAX_NESTING: Final = 20
_MIN_EXPANSION: Final = 100_000
_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_LINK_SCHEMES: Final = {"http", "https", "mailto"}
_IMAGE_SCHEMES: Final = {"http", "https"}


@dataclass(frozen=True, slots=True)
class Parsed:
    """A body's tokens, as markdown-it-py describes them, and what is needed to write them as HTML."""

    tokens: list[Token]
    env: EnvType

    def html(self) -> str:
        """Return the tokens as HTML, not yet sanitised."""
        return str(_COMMONMARK.renderer.render(self.tokens, _COMMONMARK.options, self.env))


def parse(markdown: str) -> Parsed:
    """Parse a body. Images of a scheme that is not allowed lose their source; tables are aligned by `align`."""
    env: EnvType = {"references": BoundedReferences(limit=max(len(markdown), _MIN_EXPANSION))}
    tokens = _COMMONMARK.parse(markdown, env)
    for token in _all(tokens):
        if token.type == "image" and not _has_scheme_of(str(token.attrGet("src")), _IMAGE_SCHEMES):
            token.attrs.pop("src")
        style = token.attrs.pop("style", None)
        if style is not None:
            # As GitHub writes it: an inline style would need a hole in a content security policy.
            token.attrSet("align", str(style).removeprefix("text-align:"))
    return Parsed(tokens, env)


class BoundedReferences(dict[str, dict[str, Any]]):
    """Link definitions that run dry: after `limit` characters of addresses and titles none is found any more.

    A reference that finds none stays the text it is. cmark has the same rule, for the same reason.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._left = limit

    def get(self, label: str, default: Any = None) -> Any:
        """Return the definition of `label`, or `default` where there is none or the limit is reached."""
        found = super().get(label)
        if found is None:
            return default
        self._left -= len(found["href"]) + len(found["title"])
        return found if self._left >= 0 else default


class _CommonMark(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802
        """Whether a link or an image may have this address; where not, it stays the text it is."""
        return _has_scheme_of(url, _LINK_SCHEMES)


_COMMONMARK: Final = _CommonMark("commonmark", {"html": False, "maxNesting": _MAX_NESTING}).enable(
    ["table", "strikethrough"]
)


def _has_scheme_of(url: str, allowed: set[str]) -> bool:
    scheme = _SCHEME.match(url.strip())
    return scheme is None or scheme[1].lower() in allowed


def _all(tokens: Iterable[Token]) -> Iterable[Token]:
    for token in tokens:
        yield token
        yield from _all(token.children or ())
