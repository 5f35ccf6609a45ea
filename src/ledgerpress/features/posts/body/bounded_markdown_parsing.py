"""Parses the Markdown of a body, with limits that keep hostile Markdown cheap.

With limited nesting, markdown-it-py runs in linear time. Its output is not limited, however: a body can use one long
link definition many times. `BoundedReferences` prevents this. Linear time can still be slow: the parser may look ahead
once per nesting level after each bracket, and each token has a cost. A body of only brackets or table cells took
fifteen times as long as prose. So the parser counts steps, and a body that needs more than `MOST_STEPS` is shown
unparsed, as one code block.
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

from ledgerpress.features.posts.body.bare_links import LineState, bare_links
from ledgerpress.features.posts.body.footnotes import footnotes
from ledgerpress.features.posts.body.harmless_html import harmless_html
from ledgerpress.features.posts.body.lossless_block_rules import lossless_blocks

MOST_STEPS: Final = 150_000
"""The maximum number of steps for a body. Prose of 256 KiB with links and emphasis needs a third of this."""
_STEP: Final = 1
_LOOK_STEPS: Final = 5
"""The steps for a look-ahead. It tries every rule, which takes about as long as five tokens."""
_REFERENCE_STEPS: Final = 6
"""The steps for a reference to a footnote: four characters become two links, one there and one back."""
_MAX_NESTING: Final = 20
_MIN_EXPANSION: Final = 100_000
_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
LINK_SCHEMES: Final = frozenset({"http", "https", "mailto", "sms", "tel"})
_IMAGE_SCHEMES: Final = frozenset({"http", "https"})


@dataclass(frozen=True, slots=True)
class ParsedBody:
    """The markdown-it-py tokens of a body, and the environment that is needed to render them as HTML."""

    tokens: list[Token]
    env: EnvType

    def html(self) -> str:
        """Return the tokens as unsanitised HTML."""
        return str(_COMMONMARK.renderer.render(self.tokens, _COMMONMARK.options, self.env))


def parse(markdown: str) -> ParsedBody:
    """Parse a body. Remove image sources with schemes that are not allowed; align table cells with `align`."""
    references = BoundedReferences(limit=max(len(markdown), _MIN_EXPANSION))
    env: EnvType = {"references": references, _STEPS: _Steps()}
    try:
        tokens = _COMMONMARK.parse(markdown, env)
    except _TooManySteps:
        return ParsedBody([Token("code_block", "code", 0, content=markdown, block=True)], {})
    for token in _all(tokens):
        if token.type == "image":
            if not _has_scheme_of(str(token.attrGet("src")), _IMAGE_SCHEMES):
                token.attrs.pop("src")
            for child in token.children or ():
                # The renderer omits these from the description of an image.
                if child.type in {"text_special", "footnote_ref"}:
                    child.type = "text"
        style = token.attrs.pop("style", None)
        if style is not None:
            # GitHub does the same. An inline style would need an exception in the content security policy.
            token.attrSet("align", str(style).removeprefix("text-align:"))
    return ParsedBody(tokens, env)


class BoundedReferences(dict[str, dict[str, Any]]):
    """Link definitions with a limit: after `limit` characters of URLs and titles, `get` finds no definitions.

    A reference without a definition stays plain text. cmark has the same rule, for the same reason.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._left = limit

    def get(self, label: str, default: Any = None) -> Any:
        """Return the definition of `label`, or `default` if there is none or the limit is reached."""
        definition = super().get(label)
        if definition is None:
            return default
        self._left -= len(definition["href"]) + len(definition["title"])
        return definition if self._left >= 0 else default


_STEPS: Final = "steps"


class _TooManySteps(Exception):
    """Parsing the body needs more than `MOST_STEPS` steps."""


class _Steps:
    """The number of steps that are left."""

    def __init__(self) -> None:
        self._left = MOST_STEPS

    def take(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise _TooManySteps


class _CountedTokens(list[Token]):
    """A list of tokens that counts the steps for each token."""

    def __init__(self, steps: _Steps) -> None:
        super().__init__()
        self._steps = steps

    def append(self, token: Token) -> None:
        self._steps.take(_REFERENCE_STEPS if token.type == "footnote_ref" else _STEP)
        super().append(token)


class _CountedInline(ParserInline):
    def parse(self, src: str, md: MarkdownIt, env: EnvType, tokens: list[Token]) -> list[Token]:
        state = LineState(src, md, env, tokens)
        self.tokenize(state)
        for rule in self.ruler2.getRules(""):
            rule(state)
        return state.tokens

    def skipToken(self, state: StateInline) -> None:  # noqa: N802
        """Look ahead past one token. This is cheap if the result is cached."""
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
        options = {
            "html": False,
            "maxNesting": _MAX_NESTING,
            "tasklists": True,
            "strikethrough_single_tilde": True,
        }
        super().__init__("commonmark", options)
        self.inline = _CountedInline()
        self.configure("commonmark", options)
        self.enable(["table", "strikethrough"])
        self.core.ruler.at("block", _parse_blocks)
        self.core.ruler.at("inline", _parse_lines)
        for extend in (lossless_blocks, footnotes, harmless_html, bare_links):
            extend(self)

    def validateLink(self, url: str) -> bool:  # noqa: N802
        """Return whether a link or an image may have this URL. If not, it stays plain text."""
        return _has_scheme_of(url, LINK_SCHEMES)


_COMMONMARK: Final = _CommonMark()


def _has_scheme_of(url: str, allowed: frozenset[str]) -> bool:
    scheme = _SCHEME.match(url.strip())
    return scheme is None or scheme[1].lower() in allowed


def _all(tokens: Iterable[Token]) -> Iterable[Token]:
    for token in tokens:
        yield token
        yield from _all(token.children or ())
