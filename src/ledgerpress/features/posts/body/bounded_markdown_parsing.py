"""Which Markdown a body may use, and the bounds that keep hostile Markdown cheap.

markdown-it-py takes time linear in its input, nesting being bounded; what grows without a bound is
its output where one long link definition is used many times, hence `BoundedReferences`. Linear is not cheap,
though: after each bracket it may look ahead once for every level of nesting, and each token has its price. A body
of brackets or of cells alone took fifteen times as long as prose. So steps are counted, and a body that takes more
than `MOST_STEPS` is shown as it was written: as one block of code.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType

MOST_STEPS: Final = 150_000
"""Prose of 256 KiB with links and emphasis takes a third as many."""
_STEP: Final = 1
_LOOK_STEPS: Final = 5
"""A look ahead tries every rule, and so takes as long as about five tokens."""
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
    references = BoundedReferences(limit=max(len(markdown), _MIN_EXPANSION))
    env: EnvType = {"references": references, _STEPS: _Steps()}
    try:
        tokens = _COMMONMARK.parse(markdown, env)
    except _TooManySteps:
        return Parsed([Token("code_block", "code", 0, content=markdown, block=True)], {})
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


_STEPS: Final = "steps"


class _TooManySteps(Exception):
    """The body takes more work than it may."""


class _Steps:
    """How much work is left."""

    def __init__(self) -> None:
        self._left = MOST_STEPS

    def take(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise _TooManySteps


class _CountedTokens(list[Token]):
    """A list of tokens, each of which costs."""

    def __init__(self, steps: _Steps) -> None:
        super().__init__()
        self._steps = steps

    def append(self, token: Token) -> None:
        self._steps.take(_STEP)
        super().append(token)


class _CountedInline(ParserInline):
    def skipToken(self, state: StateInline) -> None:  # noqa: N802
        """Look ahead past one token; that costs little where it was done before."""
        state.env[_STEPS].take(_STEP if state.pos in state.cache else _LOOK_STEPS)
        super().skipToken(state)


def _parse_blocks(state: StateCore) -> None:
    state.tokens = _CountedTokens(state.env[_STEPS])
    state.md.block.parse(state.src, state.md, state.env, state.tokens)


def _parse_lines(state: StateCore) -> None:
    for token in state.tokens:
        if token.type == "inline":
            token.children = _CountedTokens(state.env[_STEPS])
            state.md.inline.parse(token.content, state.md, state.env, token.children)


class _CommonMark(MarkdownIt):
    def __init__(self) -> None:
        options = {"html": False, "maxNesting": _MAX_NESTING}
        super().__init__("commonmark", options)
        self.inline = _CountedInline()
        self.configure("commonmark", options)
        self.enable(["table", "strikethrough"])
        self.core.ruler.at("block", _parse_blocks)
        self.core.ruler.at("inline", _parse_lines)

    def validateLink(self, url: str) -> bool:  # noqa: N802
        """Whether a link or an image may have this address; where not, it stays the text it is."""
        return _has_scheme_of(url, _LINK_SCHEMES)


_COMMONMARK: Final = _CommonMark()


def _has_scheme_of(url: str, allowed: set[str]) -> bool:
    scheme = _SCHEME.match(url.strip())
    return scheme is None or scheme[1].lower() in allowed


def _all(tokens: Iterable[Token]) -> Iterable[Token]:
    for token in tokens:
        yield token
        yield from _all(token.children or ())
