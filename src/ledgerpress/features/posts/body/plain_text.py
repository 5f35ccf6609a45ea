"""Derives plain text, its length in words and minutes, and a teaser from a body."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ledgerpress.commands.text_rules import is_blank
from ledgerpress.grapheme_clusters import clusters, cut

if TYPE_CHECKING:
    from markdown_it.token import Token

TEASER_LENGTH: Final = 200
WORDS_A_MINUTE: Final = 238
"""The speed of silent reading of English non-fiction: Brysbaert, "How many words do we read per minute?", Journal of
Memory and Language 109 (2019)."""
CHARACTERS_A_MINUTE: Final = 500
"""The speed of reading Chinese and Japanese that Medium and Hugo assume."""

_IDEOGRAPHS: Final = re.compile(
    "[\u3005\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)
_UNSPACED_LETTERS: Final = re.compile("[\u0e01-\u0e4e\u0e81-\u0ece\u1000-\u109f\u1780-\u17d3]{1,4}")
_WORD: Final = re.compile("[^\\W_][^\\s\u2013\u2014\u2026]*")
"""A word from its first letter or digit to the space or dash after it."""
_BEFORE_ELLIPSIS: Final = frozenset(" .,;:\u2013\u2014-")


def plain_text(tokens: "Sequence[Token]") -> str:
    """Return the text of all blocks with a blank line between them.

    An image is replaced by its description. A table row is one line with tabs between the cells.
    """
    return "\n\n".join(filter(str.strip, _blocks(tokens)))


def first_paragraph(tokens: "Sequence[Token]") -> str:
    """Return the text of the first paragraph of prose, without images at its ends; empty if there is none.

    Headings, code, tables, captions and paragraphs that contain only images are not prose.
    """
    return next(
        (prose for kind, token in _inline_blocks(tokens) if kind == "paragraph" and (prose := _prose(token))),
        "",
    )


def inline_text(token: "Token") -> str:
    """Return inline content without markup: a space for each soft break, and descriptions instead of images."""
    return "".join(_pieces(token.children or ()))


def title_text(token: "Token") -> str:
    """Return the inline content of a heading without markup and references to footnotes, on one line."""
    return " ".join("".join(_pieces(_without_references(token))).split())


@dataclass(frozen=True, slots=True)
class Length:
    """The length of a text: Chinese and Japanese characters, and words of other scripts."""

    characters: int
    spaced_words: int

    @property
    def words(self) -> int:
        return self.characters + self.spaced_words

    @property
    def reading_minutes(self) -> int:
        return reading_minutes(self.spaced_words, self.characters)


def word_count(text: str) -> int:
    """Count the words of a text in any script.

    Spaces and dashes separate words; a word contains a letter or a digit. In scripts without spaces, each Chinese
    character and each kana counts as a word. Up to four consecutive letters of Thai, Lao, Burmese or Khmer also count
    as one word.
    """
    return length_of(text).words


def length_of(text: str) -> Length:
    """Return the length of a text; see `word_count`."""
    if text.isascii():
        return Length(0, len(_WORD.findall(text)))
    rest, ideographs = _IDEOGRAPHS.subn(" ", text)
    rest, unspaced = _UNSPACED_LETTERS.subn(" ", rest)
    return Length(ideographs, unspaced + len(_WORD.findall(rest)))


def reading_minutes(words: int, characters: int = 0) -> int:
    """Return the reading time of words, and of Chinese and Japanese characters, in minutes, rounded up.

    It is 0 only if there are none.
    """
    return -(
        -(words * CHARACTERS_A_MINUTE + characters * WORDS_A_MINUTE) // (WORDS_A_MINUTE * CHARACTERS_A_MINUTE)
    )


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


def _blocks(tokens: "Sequence[Token]") -> Iterator[str]:
    rows: list[list[str]] = []
    for token in tokens:
        match token.type:
            case "tr_open":
                rows.append([])
            case "table_close":
                yield "\n".join("\t".join(row) for row in rows)
                rows = []
            case "inline" if rows:
                rows[-1].append(inline_text(token))
            case "inline":
                yield inline_text(token)
            case "fence" | "code_block":
                yield token.content.rstrip("\n")


def _inline_blocks(tokens: "Sequence[Token]") -> "Iterator[tuple[str, Token]]":
    """Yield the kind and the token of each block of inline content."""
    inside = "paragraph"
    for token in tokens:
        match token.type:
            case "heading_open" | "table_open":
                inside = token.type.removesuffix("_open")
            case "heading_close" | "table_close":
                inside = "paragraph"
            case "inline":
                yield token.meta.get("kind", inside), token


def _prose(paragraph: "Token") -> str:
    tokens = _without_references(paragraph)
    while tokens and _is_edge(tokens[0]):
        del tokens[0]
    while tokens and _is_edge(tokens[-1]):
        del tokens[-1]
    text = "".join(_pieces(tokens)).strip()
    has_image = any(token.type == "image" for token in paragraph.children or ())
    return text if not is_blank(text) and (not has_image or any(map(str.isalnum, text))) else ""


def _is_edge(token: "Token") -> bool:
    return token.type == "image" or not "".join(_pieces([token])).strip()


def _without_references(token: "Token") -> "list[Token]":
    return [child for child in token.children or () if child.type != "footnote_ref"]


def _pieces(tokens: "Iterable[Token]") -> Iterator[str]:
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
