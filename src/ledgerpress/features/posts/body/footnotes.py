"""Footnotes, as on GitHub: `[^label]` in the text, and `[^label]: text` on a line of its own.

The notes follow the text in the order of their first references. A note without a reference stays where it is, with its
label, so that it is not lost. The ids contain an underscore, so that they differ from the anchors of headings.
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from mdit_py_plugins.footnote.index import footnote_def, footnote_ref

from ledgerpress.features.posts.body.lossless_block_rules import paragraph, within_nesting

NOTE_ROLE: Final = "doc-endnotes"
REFERENCE_ROLE: Final = "doc-noteref"
BACK_ROLE: Final = "doc-backlink"
BACK: Final = "\u21a9\ufe0e"
"""An arrow that returns to the text. The variation selector prevents that it is shown as an emoji."""

_REFERENCE: Final = re.compile(r"\[\^[^\s\[\]]{1,200}\]")


class _NumbersByLabel(dict[str, int]):
    """The numbers of notes by their labels, in which upper and lower case are equal, as on GitHub."""

    def __getitem__(self, label: str) -> int:
        return super().__getitem__(label.casefold())

    def __setitem__(self, label: str, number: int) -> None:
        super().__setitem__(label.casefold(), number)

    def __contains__(self, label: object) -> bool:
        return super().__contains__(str(label).casefold())


def footnotes(md: MarkdownIt) -> None:
    """Add the rules for footnotes to `md`."""
    md.block.ruler.before(
        "reference",
        "footnote_def",
        within_nesting(footnote_def, levels=1),
        {"alt": ["paragraph", "reference"]},
    )
    md.inline.ruler.after("image", "footnote_ref", _reference)
    md.core.ruler.before("block", "footnote_labels", _without_labels)
    md.core.ruler.after("inline", "footnote_tail", _move_notes_to_end)
    md.add_render_rule("footnote_ref", _render_reference)
    md.add_render_rule("footnote_anchor", _render_back)


def _without_labels(state: StateCore) -> None:
    """Give the rules of the library, which distinguish upper and lower case, labels that do not."""
    state.env["footnotes"] = {"refs": _NumbersByLabel(), "list": {}}


def _reference(state: StateInline, silent: bool) -> bool:
    """Call the rule of the library only where it finds the end of the label at once, not at the end of the text."""
    if state.linkLevel > 0 or not _REFERENCE.match(state.src, state.pos, state.posMax):
        return False
    is_reference = footnote_ref(state, silent)
    if is_reference and not silent:
        token = state.tokens[-1]
        number, count = token.meta["id"] + 1, token.meta["subId"]
        suffix = f"_{count + 1}" if count else ""
        token.content = f"[{number}]"
        token.attrs = {"href": f"#note_{number}", "id": f"noteref_{number}{suffix}", "role": REFERENCE_ROLE}
    return is_reference


def _move_notes_to_end(state: StateCore) -> None:
    """Move the notes that have references out of the text, into a list at its end."""
    if all(token.type != "footnote_reference_open" for token in state.tokens):
        return
    numbers: dict[str, int] = state.env["footnotes"]["refs"]
    references: dict[int, dict[str, int]] = state.env["footnotes"]["list"]
    text: list[Token] = []
    notes: dict[int, list[Token]] = {}
    targets = [text]
    for token in state.tokens:
        match token.type:
            case "footnote_reference_open":
                number = numbers[f":{token.meta['label']}"]
                if number >= 0 and number not in notes:
                    targets.append(notes.setdefault(number, []))
                else:
                    # Nothing refers to it, or it is the second note with this label.
                    targets.append(targets[-1])
                    targets[-1].extend(paragraph(f"[^{token.meta['label']}]:", token.level))
            case "footnote_reference_close":
                targets.pop()
            case _:
                targets[-1].append(token)
    if notes:
        text.append(Token("footnotes_open", "section", 1, {"role": NOTE_ROLE}, block=True))
        text.append(Token("footnote_list_open", "ol", 1, block=True))
        for number, content in sorted(notes.items(), key=lambda note: note[0]):
            text.extend(_note(number + 1, references[number]["count"], content))
        text.append(Token("footnote_list_close", "ol", -1, block=True))
        text.append(Token("footnotes_close", "section", -1, block=True))
    state.tokens = text


def _note(number: int, references: int, content: list[Token]) -> list[Token]:
    back = list(map(partial(_back, number), range(references)))
    if back and content and content[-1].type == "paragraph_close":
        content[-1:-1] = back
    else:
        content = [*content, *back]
    opening = Token("footnote_open", "li", 1, {"id": f"note_{number}"}, block=True)
    return [opening, *content, Token("footnote_close", "li", -1, block=True)]


def _back(number: int, reference: int) -> Token:
    suffix = f"_{reference + 1}" if reference else ""
    attributes: dict[str, str | int | float] = {"href": f"#noteref_{number}{suffix}", "role": BACK_ROLE}
    return Token("footnote_anchor", "a", 0, attributes, content=BACK)


def _render_reference(_: RendererHTML, tokens: Sequence[Token], index: int, *__: Any) -> str:
    return f"<sup>{_link(tokens[index])}</sup>"


def _render_back(_: RendererHTML, tokens: Sequence[Token], index: int, *__: Any) -> str:
    return f" {_link(tokens[index])}"


def _link(token: Token) -> str:
    return f"<a{RendererHTML.renderAttrs(token)}>{token.content}</a>"
