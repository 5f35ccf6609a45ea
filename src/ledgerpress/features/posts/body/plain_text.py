"""A body as plain text: the text itself, its length in words and minutes, and a teaser made from it."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from markdown_it.token import Token

TEASER_LENGTH: Final = 200
WORDS_A_MINUTE: Final = 238
"""Silent reading of English non-fiction: Brysbaert, "How many words do we read per minute?", Journal of Memory
and Language 109 (2019)."""

_IDEOGRAPHS: Final = re.compile(
    "[\u3005\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)
_UNSPACED_LETTERS: Final = re.compile("[\u0e01-\u0e4e\u0e81-\u0ece\u1000-\u109f\u1780-\u17d3]{1,4}")
_BETWEEN_WORDS: Final = re.compile("[\\s\u2013\u2014\u2026]+")


def plain_text(tokens: Sequence[Token]) -> str:
    """Return the text of all blocks, a blank line between them.

    An image counts as its description, a table row as one line with tabs between the cells.
    """
    return "\n\n".join(text for _, text in _blocks(tokens) if text.strip())


def first_paragraph(tokens: Sequence[Token]) -> str:
    """Return the text of the first paragraph, not counting headings, code and tables; empty if there is none."""
    return next((text for kind, text in _blocks(tokens) if kind == "paragraph" and text.strip()), "")


def inline_text(token: Token) -> str:
    """Return what a reader sees of a line of text: no markup, a space for a soft break, descriptions of images."""
    return "".join(_pieces(token.children or ()))


def word_count(text: str) -> int:
    """Count the words of a text in any script.

    A word is what stands between spaces or dashes and has a letter or a digit. Where a script writes no
    spaces, each Chinese character and each kana is a word, and up to four letters of Thai, Lao, Burmese or
    Khmer are one.
    """
    rest, ideographs = _IDEOGRAPHS.subn(" ", text)
    rest, unspaced = _UNSPACED_LETTERS.subn(" ", rest)
    spaced = sum(any(map(str.isalnum, word)) for word in _BETWEEN_WORDS.split(rest))
    return ideographs + unspaced + spaced


def reading_minutes(words: int) -> int:
    """Return the minutes it takes to read so many words, rounded up; 0 only where there is nothing to read."""
    return -(-words // WORDS_A_MINUTE)


def derived_teaser(text: str, limit: int = TEASER_LENGTH) -> str:
    """Return the first paragraph of `text` in at most `limit` characters, ending in "…" where it was cut.

    Cut between words, or within one where the last space is in the first half. Raises ValueError if `limit` is
    less than 1.
    """
    if limit < 1:
        raise ValueError("a teaser needs room for one character")
    paragraph = " ".join(text.strip().partition("\n\n")[0].split())
    if len(paragraph) <= limit:
        return paragraph
    end = paragraph.rfind(" ", 0, limit)
    if end < limit // 2:
        end = limit - 1
        while end > 0 and unicodedata.category(paragraph[end]).startswith("M"):
            end -= 1
    return paragraph[:end].rstrip(" .,;:\u2013\u2014-") + "\u2026"


def _blocks(tokens: Sequence[Token]) -> Iterator[tuple[str, str]]:
    inside = "paragraph"
    rows: list[list[str]] = []
    for token in tokens:
        match token.type:
            case "heading_open" | "table_open":
                inside = token.type.removesuffix("_open")
            case "heading_close":
                inside = "paragraph"
            case "tr_open":
                rows.append([])
            case "table_close":
                yield inside, "\n".join("\t".join(row) for row in rows)
                inside, rows = "paragraph", []
            case "inline" if rows:
                rows[-1].append(inline_text(token))
            case "inline":
                yield inside, inline_text(token)
            case "fence" | "code_block":
                yield "code", token.content.rstrip("\n")


def _pieces(tokens: Iterable[Token]) -> Iterator[str]:
    for token in tokens:
        match token.type:
            case "softbreak":
                yield " "
            case "hardbreak":
                yield "\n"
            case "image":
                yield from _pieces(token.children or ())
            case _:
                yield token.content
