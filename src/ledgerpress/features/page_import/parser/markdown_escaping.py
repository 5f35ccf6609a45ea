"""Escape plain text as Markdown, so that rendering it returns the same text (CommonMark 0.31, and tables)."""

import re
from typing import Final

# Possible markup at any place. An underscore between letters never is.
_ANYWHERE: Final = re.compile(r"[\\`*\[~]|(?<![^\W_])_|_(?![^\W_])|<(?=[A-Za-z/!?])|&(?=#?\w+;)")
# The beginning of a block: a heading, a quotation, a list, a rule. A star is covered above.
_BLOCK: Final = re.compile(r"#{1,6}(?=\s|$)|>|[-+](?=[\s-]|$)")
_NUMBERED: Final = re.compile(r"([0-9]{1,9})([.)])(?=\s|$)")
_CLOSING_HASHES: Final = re.compile(r"(?<!\S)#+$")


def paragraph(line: str) -> str:
    """Return a line of plain text as a Markdown paragraph."""
    escaped = _inline(line)
    numbered = _NUMBERED.match(escaped)
    if numbered:
        return rf"{numbered[1]}\{numbered[2]}{escaped[numbered.end() :]}"
    return rf"\{escaped}" if _BLOCK.match(escaped) else escaped


def heading(line: str, level: int = 2) -> str:
    """Return a line of plain text as a Markdown heading of that level, 1 to 6."""
    closed = _CLOSING_HASHES.sub(lambda hashes: r"\#" * len(hashes[0]), _inline(line))
    return f"{'#' * level} {closed}"


def _inline(line: str) -> str:
    return _ANYWHERE.sub(r"\\\g<0>", line)
