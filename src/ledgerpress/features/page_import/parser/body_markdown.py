"""The body of a scraped page as Markdown. Every line is a paragraph or a heading; no character of it is markup."""

import re
from collections.abc import Sequence
from typing import Final

from ledgerpress.features.page_import.parser.line_cleaning_and_classification import (
    is_byline,
    is_question_title,
    is_short_title,
)

# Characters that can be markup anywhere. An underscore between letters is never markup.
_ANYWHERE: Final = re.compile(r"[\\`*\[~]|(?<![^\W_])_|_(?![^\W_])|<(?=[A-Za-z/!?])|&(?=#?\w+;)")
# The beginning of a block: a heading, a quotation, a list, a rule. `_ANYWHERE` covers a star.
_BLOCK: Final = re.compile(r"#{1,6}(?=\s|$)|>|[-+](?=[\s-]|$)")
_NUMBERED: Final = re.compile(r"([0-9]{1,9})([.)])(?=\s|$)")
_CLOSING_HASHES: Final = re.compile(r"(?<!\S)#+$")


def markdown(lines: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Return the body as Markdown: a short title before a paragraph becomes a level 2 heading, the rest paragraphs."""
    blocks: list[str] = []
    guesses: list[str] = []
    for index, line in enumerate(lines):
        following = lines[index + 1] if index + 1 < len(lines) else ""
        is_question = is_question_title(line, following)
        if is_question:
            guesses.append(f'the question "{line}" was treated as a heading')
        if is_question or (_heads(line, following) and not (index == 0 and is_byline(line))):
            blocks.append(_heading(line))
        else:
            blocks.append(_paragraph(line))
    return "\n\n".join(blocks), tuple(guesses)


def _heads(line: str, following: str) -> bool:
    return is_short_title(line) and following != "" and not is_short_title(following)


def _paragraph(line: str) -> str:
    """Return a line of plain text as a Markdown paragraph."""
    escaped = _inline(line)
    numbered = _NUMBERED.match(escaped)
    if numbered:
        return rf"{numbered[1]}\{numbered[2]}{escaped[numbered.end() :]}"
    return rf"\{escaped}" if _BLOCK.match(escaped) else escaped


def _heading(line: str, level: int = 2) -> str:
    """Return a line of plain text as a Markdown heading of level 1 to 6."""
    closed = _CLOSING_HASHES.sub(lambda hashes: r"\#" * len(hashes[0]), _inline(line))
    return f"{'#' * level} {closed}"


def _inline(line: str) -> str:
    return _ANYWHERE.sub(r"\\\g<0>", line)
