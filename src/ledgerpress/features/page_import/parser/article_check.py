"""Find out whether a text is an article page: a headline above paragraphs, and not a table, code or an error page."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from ledgerpress.features.page_import.parser.line_cleaning_and_classification import is_cut, is_lost_link

_LONG_LINE: Final = 120
_CLOSING: Final = "\"'”’»›)]）」』"
_FULL_STOPS: Final = (".", "!", "?", "…", "。", "！", "？", "।", "؟", "۔", "።", "။", "។", "։")
_CODE_START: Final = re.compile(r"#(?!\w)|//|/\*|--|[{}<>\]|;%\\/]|\w+\s*[={]|\w+\(")
_COMMENT: Final = re.compile(r"#\s|//|/\*|<!--|;")
_CODE: Final = re.compile(r"[:/\\=;{}<>|_\[\]$]")
_MAX_CODE: Final = 0.1
_MIN_LETTERS: Final = 0.7
_ERROR_PAGE: Final = re.compile(
    r"(?:error\s*)?[45]\d\d\b(?:\s*[-–—:|]?\s*(?:error|not found|page not found|forbidden|unauthori[sz]ed|gone"
    r"|bad gateway|service (?:temporarily )?unavailable|internal server error|too many requests|gateway time-?out).*)"
    r"|(?:oops.{0,3}\s*)?(?:page|file) (?:was )?not found|access (?:to this page )?(?:has been )?denied|just a moment\W*"
    r"|attention required\W.*|are you (?:a robot|human)\W*|before you continue\b.*|checking your browser\b.*"
    r"|(?:please )?(?:log|sign) ?in(?: to continue| required)?|verify(?:ing)? (?:that )?you are (?:a )?human\W*",
    re.IGNORECASE,
)


def missing_from(title: str, body: Sequence[str], *, title_is_certain: bool) -> Iterator[str]:
    """Yield what the text lacks to be an article page. `title_is_certain` means that the page repeats its headline."""
    if _ERROR_PAGE.fullmatch(title):
        yield f'an article: "{title}" is the headline of an error page or a login page'
    elif not title_is_certain and not _is_headline(title):
        yield f'a headline: its first line "{title[:60]}" does not look like one'
    prose = [_is_prose(line) for line in body]
    heads_prose = [*prose[1:], False]
    text = sum(len(line) for line, *is_text in zip(body, prose, heads_prose, strict=True) if any(is_text))
    if 2 * text < sum(map(len, body)):
        yield "paragraphs: most of its text is not in lines that end like a sentence"


def _is_headline(line: str) -> bool:
    codes = len(_CODE.findall(line))
    return (
        not _CODE_START.match(line) and codes <= max(2, len(line) * _MAX_CODE) and any(map(str.isalnum, line))
    )


def _is_prose(line: str) -> bool:
    """Return whether the line is a paragraph: mostly words, and either long or with a full stop at its end."""
    ends = line.rstrip(_CLOSING).endswith(_FULL_STOPS) or is_cut(line) or is_lost_link(line)
    if (not ends and len(line) <= _LONG_LINE) or _COMMENT.match(line):
        return False
    if len(line) > _LONG_LINE and " " not in line and line.isascii():
        return False
    words = sum(character.isalpha() or character == " " or not character.isascii() for character in line)
    return words >= _MIN_LETTERS * len(line)
