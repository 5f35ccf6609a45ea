"""Derives plain text, its length in words and minutes, and a teaser from a body."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from markdown_it.token import Token

from ledgerpress.grapheme_clusters import clusters, cut

TEASER_LENGTH: Final = 200
WORDS_A_MINUTE: Final = 238
"""The speed of silent reading of English non-fiction: Brysbaert, "How many words do we read per minute?", Journal of
Memory and Language 109 (2019)."""

_IDEOGRAPHS: Final = re.compile(
    "[\u3005\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)
_UNSPACED_LETTERS: Final = re.compile("[\u0e01-\u0e4e\u0e81-\u0ece\u1000-\u109f\u1780-\u17d3]{1,4}")
_BETWEEN_WORDS: Final = re.compile("[\\s\u2013\u2014\u2026]+")
_BEFORE_ELLIPSIS: Final = frozenset(" .,;:\u2013\u2014-")


def plain_text(tokens: Sequence[Token]) -> str:
    """Return the text of all blocks with a blank line between them.

    An image is replaced by its description. A table row is one line with tabs between the cells.
    """
    return "\n\n".join(text for _, text in _blocks(tokens) if text.strip())


def first_paragraph(tokens: Sequence[Token]) -> str:
    """Return the text of the first paragraph that is not a heading, code or a table; empty if there is none."""
    return next((text for kind, text in _blocks(tokens) if kind == "paragraph" and text.strip()), "")


def inline_text(token: Token) -> str:
    """Return inline content without markup: a space for each soft break, and descriptions instead of images."""
    return "".join(_pieces(token.children or ()))


def word_count(text: str) -> int:
    """Count the words of a text in any script.

    Spaces and dashes separate words; a word contains a letter or a digit. In scripts without spaces, each Chinese
    character and each kana counts as a word. Up to four consecutive letters of Thai, Lao, Burmese or Khmer also count
    as one word.
    """
    rest, ideographs = _IDEOGRAPHS.subn(" ", text)
    rest, unspaced = _UNSPACED_LETTERS.subn(" ", rest)
    spaced = sum(any(map(str.isalnum, word)) for word in _BETWEEN_WORDS.split(rest))
    return ideographs + unspaced + spaced


def reading_minutes(words: int) -> int:
    """Return the reading time of `words` words in minutes, rounded up; 0 only for 0 words."""
    return -(-words // WORDS_A_MINUTE)


def derived_teaser(text: str, limit: int = TEASER_LENGTH) -> str:
    """Return the first paragraph of `text`, cut to at most `limit` characters; a cut text ends in "…".

    Cuts between words, or between two grapheme clusters if the last space is in the first half. Raises `ValueError` if
    `limit` is less than 1.
    """
    if limit < 1:
        raise ValueError("limit must be at least 1")
    paragraph = " ".join(text.strip().partition("\n\n")[0].split())
    if len(paragraph) <= limit:
        return paragraph
    parts = clusters(cut(paragraph, limit))
    while parts and parts[-1] != " ":
        parts.pop()
    if sum(map(len, parts)) <= limit // 2:
        parts = clusters(cut(paragraph, limit - 1))
    while parts and parts[-1] in _BEFORE_ELLIPSIS:
        parts.pop()
    return "".join(parts) + "\u2026"


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
