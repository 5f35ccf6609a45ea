"""Block rules that show what CommonMark and its extensions would omit.

The parser omits everything after a block that is nested too deeply, link definitions that no link uses, cells beyond
the last column of a table, and the words after the language of a code block. An author who did not mean to write any
of these would lose text without notice. So nesting stops at the limit and markers below it are shown as text, unused
definitions are shown as source, and the other two are part of the table and of the code.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.common.utils import mdTrim
from markdown_it.rules_block import StateBlock, blockquote, list_block, reference, table
from markdown_it.rules_block.table import escapedSplit, getLine
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

SOURCE: Final = "source"
"""The kind of a paragraph (`Token.meta["kind"]`) that shows Markdown which has no effect."""

BlockRule = Callable[[StateBlock, int, int, bool], bool]

_LANGUAGE: Final = re.compile(r"[A-Za-z0-9_+#.-]{1,40}")
_COMMENT_URLS: Final = {"", "#"}
"""The destinations in `[//]: # (text)` and `[comment]: <> (text)`, by which authors hide comments."""


def lossless_blocks(md: MarkdownIt) -> None:
    """Replace the rules of `md` that omit text."""
    ruler = md.block.ruler
    ends_other_blocks = ["paragraph", "reference", "blockquote"]
    ruler.at("blockquote", within_nesting(blockquote, levels=1), {"alt": [*ends_other_blocks, "list"]})
    ruler.at("list", within_nesting(list_block, levels=2), {"alt": ends_other_blocks})
    ruler.at("table", _table, {"alt": ["paragraph", "reference"]})
    ruler.at("reference", _reference)
    md.options["inline_definitions"] = md.options["store_labels"] = True
    md.core.ruler.after("inline", "unused_definitions", _show_unused_definitions)
    md.core.ruler.after("block", "code_information", _show_code_information)


def within_nesting(rule: BlockRule, levels: int) -> BlockRule:
    """Return `rule` for a block that nests by `levels` levels: where this is too deep, its marker is text.

    A marker that is indented less belongs to a block above, which it ends or continues.
    """

    def shallow_rule(state: StateBlock, start: int, end: int, silent: bool) -> bool:
        is_inside = state.sCount[start] >= state.blkIndent
        if is_inside and state.level + levels >= state.md.options["maxNesting"]:
            return False
        return rule(state, start, end, silent)

    return shallow_rule


def paragraph(source: str, level: int) -> Iterator[Token]:
    """Yield a paragraph that shows `source` as it is."""
    meta = {"kind": SOURCE}
    yield Token("paragraph_open", "p", 1, level=level, block=True, meta=meta)
    children: list[Token] = []
    for line in source.split("\n"):
        if children:
            children.append(Token("softbreak", "br", 0))
        children.append(Token("text", "", 0, content=line.strip()))
    yield Token("inline", "", 0, level=level + 1, block=True, content=source, children=children, meta=meta)
    yield Token("paragraph_close", "p", -1, level=level, block=True)


def _table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    first = len(state.tokens)
    if not table(state, start, end, silent):
        return False
    if not silent:
        _add_excess_cells(state, first)
    return True


def _add_excess_cells(state: StateBlock, first: int) -> None:
    """Add the cells that the rows of the table at `first` have beyond its columns."""
    tokens = state.tokens[first:]
    columns = sum(token.type == "th_open" for token in tokens)
    excess = {
        token.map[0]: cells[columns:]
        for token in tokens
        if token.type == "tr_open" and token.map and len(cells := _cells(state, token.map[0])) > columns
    }
    if not excess:
        return
    del state.tokens[first:]
    row: list[str] = []
    for token in tokens:
        if token.type == "tr_open" and token.map:
            row = excess.get(token.map[0], [])
        elif token.type == "tr_close":
            for cell in row:
                level = token.level + 1
                state.tokens.append(Token("td_open", "td", 1, level=level, block=True))
                state.tokens.append(
                    Token("inline", "", 0, level=level + 1, block=True, content=mdTrim(cell), children=[])
                )
                state.tokens.append(Token("td_close", "td", -1, level=level, block=True))
        state.tokens.append(token)


def _cells(state: StateBlock, line: int) -> list[str]:
    cells = escapedSplit(mdTrim(getLine(state, line)))
    if cells and not cells[0]:
        del cells[0]
    if cells and not cells[-1]:
        del cells[-1]
    return cells


def _reference(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Parse a link definition, and add its source to its token."""
    if not reference(state, start, end, silent):
        return False
    if not silent:
        state.tokens[-1].content = state.getLines(start, state.line, state.blkIndent, False)
    return True


def _show_unused_definitions(state: StateCore) -> None:
    """Replace the tokens of definitions: by nothing if a link or an image uses it, otherwise by its source."""
    unused = {token.meta["id"] for token in state.tokens if token.type == "definition"}
    if not unused:
        return
    unused -= {str(label) for label in _labels(state.tokens)}
    shown: set[str] = set()
    tokens: list[Token] = []
    for token in state.tokens:
        if token.type != "definition":
            tokens.append(token)
            continue
        label = token.meta["id"]
        if (label in unused or label in shown) and not _is_comment(token):
            tokens.extend(paragraph(token.content, token.level))
        shown.add(label)
    state.tokens = tokens


def _is_comment(definition: Token) -> bool:
    """Return whether a definition hides a text. A label alone, as in `[Editor]: <>`, is shown."""
    return definition.meta["url"] in _COMMENT_URLS and bool(definition.meta["title"])


def _labels(tokens: list[Token]) -> Iterator[object]:
    for token in tokens:
        if "label" in token.meta and token.type in {"link_open", "image"}:
            yield token.meta["label"]
        yield from _labels(token.children or [])


def _show_code_information(state: StateCore) -> None:
    """Show what follows the three backticks as the first line of the code, unless it is a language."""
    for token in state.tokens:
        if token.type != "fence":
            continue
        information = token.info.strip()
        if information and not _LANGUAGE.fullmatch(information):
            language = _LANGUAGE.fullmatch(information.split()[0])
            token.info = language[0] if language else ""
            token.content = f"{information}\n{token.content}"
