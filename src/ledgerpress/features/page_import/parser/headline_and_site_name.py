"""The top of a scraped page: the browser title, the headline, and the lines above it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from ledgerpress.commands.text_rules import MAX_TITLE
from ledgerpress.features.page_import.parser.line_cleaning_and_classification import (
    is_cut,
    is_short_title,
    same,
)

_DEPTH: Final = 8
_SITE_SEPARATOR: Final = re.compile(r"\s+(?:[-–—|·•»]|::)\s+")


@dataclass(frozen=True, slots=True)
class Head:
    """The headline, the site's name if the browser title contains it, and the lines above and below.

    `is_repeated` means that the page contains the headline twice, so it is certain.
    """

    title: str
    is_repeated: bool
    site_name: str | None
    above: tuple[str, ...]
    below: tuple[str, ...]


def read_head(lines: Sequence[str]) -> Head | None:
    """Find the headline; return `None` if no line can be a headline.

    The headline is the line that occurs twice among the first lines; the first occurrence, the browser title, may also
    contain the site's name. Otherwise it is the first line, unless that line ends in a full stop or an ellipsis, or has
    more than 300 characters, the limit of a title.
    """
    for index, (browser_title, headline) in enumerate(pairwise(lines[: _DEPTH + 1])):
        if len(headline) > MAX_TITLE or len(browser_title) > 2 * MAX_TITLE:
            continue
        repeated, site_name = _repeats(browser_title, headline)
        if repeated and all(map(is_short_title, lines[:index])):
            return _head(lines, headline, site_name, above=index, below=index + 2, is_repeated=True)
    if not lines or len(lines[0]) > MAX_TITLE or lines[0].endswith((".", "。")) or is_cut(lines[0]):
        return None
    return _head(lines, lines[0], None, above=0, below=1, is_repeated=False)


def _head(
    lines: Sequence[str], title: str, site_name: str | None, *, above: int, below: int, is_repeated: bool
) -> Head:
    while below < len(lines) and same(lines[below], title):
        below += 1
    return Head(title, is_repeated, site_name, tuple(lines[:above]), tuple(lines[below:]))


def _repeats(browser_title: str, headline: str) -> tuple[bool, str | None]:
    """Return whether the browser title is the headline, with or without the site's name, and the name if any."""
    if same(browser_title, headline):
        return True, None
    for separator in _SITE_SEPARATOR.finditer(browser_title):
        first, last = browser_title[: separator.start()], browser_title[separator.end() :]
        if same(first, headline):
            return True, last
        if same(last, headline):
            return True, first
    return False, None
