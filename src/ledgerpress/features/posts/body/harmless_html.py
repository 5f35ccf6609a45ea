"""A short list of HTML tags that authors may use in Markdown, with these attributes; all other HTML is shown as text.

A tag has an effect only if its element is complete: opened and closed in the same paragraph (or for the tags of
blocks, in the same block), without crossing emphasis, links or other elements. So the HTML of a body is always balanced.
Text inside elements is Markdown.
"""

import html
import re
from collections.abc import Iterator
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from ledgerpress.features.posts.body.lossless_block_rules import paragraph

BLOCK_TAGS: Final = frozenset({"details", "figcaption", "figure", "summary"})
INLINE_TAGS: Final = frozenset(
    {"abbr", "cite", "del", "ins", "kbd", "mark", "rp", "rt", "ruby", "small", "sub", "sup"}
)
ATTRIBUTES: Final = {
    "abbr": {"title"},
    "details": {"open"},
    "img": {"src", "alt", "title", "width", "height"},
}
CAPTION: Final = "caption"
"""The kind (`Token.meta["kind"]`) of text in a figure or a summary."""

_VOID_TAGS: Final = frozenset({"br", "img"})
_IGNORED_ATTRIBUTES: Final = frozenset({"class", "decoding", "id", "loading", "sizes", "srcset"})
_SIZES: Final = frozenset({"width", "height"})
_MAX_DEPTH: Final = 20
_VALUE: Final = r"\"[^\"<>]{0,2000}\"|'[^'<>]{0,2000}'|[^\s\"'=<>`]{1,2000}"
_ATTRIBUTE: Final = re.compile(rf"\s+([A-Za-z-]{{1,30}})(?:\s*=\s*({_VALUE}))?")
_TAG: Final = re.compile(rf"<(/?)([A-Za-z]{{1,10}})((?:\s+[A-Za-z-]{{1,30}}(?:\s*=\s*(?:{_VALUE}))?)*)\s*/?>")


def harmless_html(md: MarkdownIt) -> None:
    """Add the rules for HTML tags to `md`."""
    md.block.ruler.before(
        "html_block", "block_tags", _block_tags, {"alt": ["paragraph", "reference", "blockquote"]}
    )
    md.inline.ruler.before("autolink", "inline_tag", _inline_tag)
    md.core.ruler.after("block", "complete_blocks", _complete_blocks)
    md.core.ruler.after("inline", "complete_elements", _complete_elements)


def _tag(match: re.Match[str] | None, names: frozenset[str]) -> Token | None:
    """Return the token of a tag with one of these names; `None` if it has an attribute that is not known."""
    if match is None or (name := match[2].lower()) not in names:
        return None
    source, attributes = match[0], _attributes(name, match[3])
    if attributes is None or (match[1] and (attributes or name in _VOID_TAGS)):
        return None
    match name, match[1]:
        case "br", _:
            return Token("hardbreak", "br", 0)
        case "img", _:
            if not attributes.get("src"):
                return None
            alt = attributes.pop("alt", "")
            children = [Token("text", "", 0, content=alt)] if alt else []
            return Token("image", "img", 0, {**attributes, "alt": ""}, children=children, content=alt)
        case _, "/":
            return Token("html_close", name, -1, markup=source)
        case _:
            return Token("html_open", name, 1, dict(attributes), markup=source)


def _attributes(name: str, source: str) -> dict[str, str] | None:
    attributes: dict[str, str] = {}
    for match in _ATTRIBUTE.finditer(source):
        attribute, value = match[1].lower(), html.unescape((match[2] or "").strip("\"'"))
        if attribute in ATTRIBUTES.get(name, ()) and (attribute not in _SIZES or value.isdecimal()):
            attributes.setdefault(attribute, value)
        elif attribute not in _IGNORED_ATTRIBUTES:
            return None
    return attributes


def _inline_tag(state: StateInline, silent: bool) -> bool:
    if state.src[state.pos] != "<":
        return False
    match = _TAG.match(state.src, state.pos, state.posMax)
    token = _tag(match, INLINE_TAGS | _VOID_TAGS)
    if match is None or token is None:
        return False
    if token.type == "image":
        source = state.md.normalizeLink(str(token.attrs["src"]))
        if not state.md.validateLink(source):
            return False
        token.attrs["src"] = source
    if not silent:
        # Not `push`: it would give emphasis within the element, and the element within emphasis, a level of its own.
        if state.pending:
            state.pushPending()
        state.tokens.append(token)
    state.pos = match.end()
    return True


def _block_tags(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Parse the lines up to the next blank line, if the first begins with the tag of a block."""
    if state.is_code_block(start):
        return False
    position = state.bMarks[start] + state.tShift[start]
    if not _tag(_TAG.match(state.src, position, state.eMarks[start]), BLOCK_TAGS):
        return False
    if silent:
        return True
    line = start + 1
    while line < end and not state.isEmpty(line) and state.sCount[line] >= state.blkIndent:
        line += 1
    source = state.getLines(start, line, state.blkIndent, False)
    state.line = line
    open_tags: list[str] = []
    text_from = 0
    for match in _TAG.finditer(source):
        token = _tag(match, BLOCK_TAGS)
        if token is None:
            continue
        _push_text(state, source[text_from : match.start()], open_tags)
        text_from = match.end()
        token.block = True
        token.level = state.level
        state.tokens.append(token)
        if token.nesting == 1:
            open_tags.append(token.tag)
        elif open_tags and open_tags[-1] == token.tag:
            open_tags.pop()
    _push_text(state, source[text_from:], open_tags)
    return True


def _push_text(state: StateBlock, source: str, open_tags: list[str]) -> None:
    """Push text between tags: as it is in a figure, a caption or a summary, otherwise as a paragraph."""
    source = source.strip()
    if not source:
        return
    is_caption = bool(open_tags) and open_tags[-1] != "details"
    if not is_caption:
        state.push("paragraph_open", "p", 1)
    token = state.push("inline", "", 0)
    token.content, token.children = source, []
    if is_caption:
        token.meta = {"kind": CAPTION}
    else:
        state.push("paragraph_close", "p", -1)


def _complete_blocks(state: StateCore) -> None:
    incomplete = _incomplete(state.tokens)
    if incomplete:
        state.tokens = [
            shown
            for token in state.tokens
            for shown in (paragraph(token.markup, token.level) if id(token) in incomplete else (token,))
        ]


def _complete_elements(state: StateCore) -> None:
    for token in state.tokens:
        _show_incomplete(token.children or [])


def _show_incomplete(tokens: list[Token]) -> None:
    incomplete = _incomplete(tokens)
    for token in tokens:
        if id(token) in incomplete:
            token.type, token.tag, token.nesting, token.content = "text", "", 0, token.markup
            token.attrs.clear()
        _show_incomplete(token.children or [])


def _incomplete(tokens: list[Token]) -> set[int]:
    """Return the identities of tags without a counterpart in the same Markdown element, and of those nested too deeply."""
    return {id(token) for token in _without_counterpart(tokens)}


def _without_counterpart(tokens: list[Token]) -> Iterator[Token]:
    elements: list[list[Token]] = [[]]
    for token in tokens:
        tags = elements[-1]
        if token.type == "html_open":
            if len(tags) < _MAX_DEPTH:
                tags.append(token)
            else:
                yield token
        elif token.type == "html_close":
            if all(tag.tag != token.tag for tag in tags):
                yield token
                continue
            while (tag := tags.pop()).tag != token.tag:
                yield tag
        elif token.nesting == 1:
            elements.append([])
        elif token.nesting == -1 and len(elements) > 1:
            yield from elements.pop()
    for tags in elements:
        yield from tags
