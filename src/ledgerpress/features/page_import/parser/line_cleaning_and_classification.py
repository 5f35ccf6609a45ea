"""Clean and classify the lines of a scraped page."""

import re
import unicodedata
from typing import Final

from ledgerpress.commands.text_rules import is_blank

_MAX_HEADING: Final = 120
_MAX_QUESTION: Final = 80

_LINE_ENDS: Final = re.compile("\r\n|[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")
_INVISIBLE: Final = re.compile("[\u200b\u2060\ufeff]")
_NOT_TEXT: Final = re.compile("[\0-\x08\x0e-\x1b\x7f-\x9f\ud800-\udfff]")

_CLOSING: Final = "\"'”’»›)]）」』"
_SENTENCE_ENDS: Final = (".", "!", "?", ":", ";", ",", "…", "。", "！", "？", "：", "।", "؟")
_QUOTED: Final = re.compile("[\"'“‘«„「].*[\"'”’»“」]")
_CUT: Final = re.compile(r"(…|\.\.\.)[\])]?$")
_BULLET: Final = re.compile(r"[-*•‣◦·–—]\s")
_BYLINE: Final = re.compile(r"by\s+\w", re.IGNORECASE)
_FOOTER: Final = re.compile(r"©|\(c\)\s|copyright\b|all rights reserved", re.IGNORECASE)
_LOST_LINK: Final = re.compile(
    r"\b(?:visit|see|follow|use|via) (?:this|the following) link\b"
    r"|\bvisit this (?:page|website)\b"
    r"|\bclick here\b"
    r"|^(?:read|see|learn|find out|discover) more\b.*\bhere\s*(?:[:.!]|$)"
    r"|^for more (?:on|about|information|details)\b.*\b(?:link|here)\s*(?:[:.!]|$)",
    re.IGNORECASE,
)
_ADDRESS: Final = re.compile(r"\bhttps?://|\bwww\.", re.IGNORECASE)

_SAME: Final = str.maketrans("’‘“”–—‐‑", "''\"\"----")


def tidy_lines(text: str) -> list[str]:
    """Return the lines with text, in NFC, without invisible characters and with single spaces."""
    lines = []
    for line in _LINE_ENDS.split(_INVISIBLE.sub("", text)):
        tidy = " ".join(_NOT_TEXT.sub("", unicodedata.normalize("NFC", line)).split())
        if not is_blank(tidy):
            lines.append(tidy)
    return lines


def same(line: str, other: str) -> bool:
    """Return whether two lines are equal, ignoring case and the shape of quotation marks and dashes."""
    return line.translate(_SAME).casefold() == other.translate(_SAME).casefold()


def ends_sentence(line: str) -> bool:
    """Return whether the line is one quotation, or ends like a sentence, ignoring closing quotation marks."""
    return line.rstrip(_CLOSING).endswith(_SENTENCE_ENDS) or _QUOTED.fullmatch(line) is not None


def is_cut(line: str) -> bool:
    """Return whether the line ends in "…" or "...", even before a bracket, which means that text is missing."""
    return _CUT.search(line) is not None


def is_sentence(line: str) -> bool:
    """Return whether a line of a list is text rather than a headline. Headlines may end in "?" or "!"."""
    return is_cut(line) or line.rstrip(_CLOSING).endswith((".", "。")) or len(line) > _MAX_HEADING


def is_short_title(line: str) -> bool:
    """Return whether the line could be a heading: at most 120 characters, and not a sentence, list item or link."""
    return (
        len(line) <= _MAX_HEADING
        and not ends_sentence(line)
        and not _BULLET.match(line)
        and not is_lost_link(line)
        and not _ADDRESS.search(line)
        and any(map(str.isalnum, line))
    )


def is_question_title(line: str, following: str) -> bool:
    """Return whether the line is a short question before a long paragraph, and so probably its heading."""
    return (
        len(line) <= _MAX_QUESTION
        and line.endswith("?")
        and not ends_sentence(line[:-1])
        and ". " not in line
        and not _BULLET.match(line)
        and len(following) > _MAX_HEADING
        and ends_sentence(following)
    )


def is_byline(line: str) -> bool:
    """Return whether the line names the author, as in "By Ada Example"."""
    return _BYLINE.match(line) is not None and len(line) <= _MAX_QUESTION


def is_footer(line: str) -> bool:
    """Return whether the line is a copyright notice at the end of a page."""
    return _FOOTER.match(line) is not None


def is_lost_link(line: str) -> bool:
    """Return whether the line refers to a link whose target is missing from the page."""
    return _LOST_LINK.search(line) is not None and _ADDRESS.search(line) is None
