"""The category line of a scraped page. The scraper may have lost its separators."""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

_LABEL: Final = re.compile(r"(?:categor(?:y|ies)|filed under|posted in)\s*:\s*(?P<names>.*)", re.IGNORECASE)
_SEPARATORS: Final = re.compile(r"[,|;•·]")
_MAX_LINE: Final = 300

# Names with a capital inside. Names with "Mc" or a single initial small letter (eSports, iPlayer) need no entry.
_NAMES: Final = re.compile(
    "iPhone|iPad|iPod|iOS|iCloud|macOS|eBay|YouTube|TikTok|WhatsApp|LinkedIn|PayPal|PlayStation|JavaScript|"
    "TypeScript|GitHub|WordPress|OpenAI|SpaceX|FedEx|YouGov|DevOps|PhD"
)


def category_names(line: str) -> str | None:
    """Return the names after the label of a category line ("Categories: …"), or `None` for any other line."""
    match = _LABEL.fullmatch(line)
    if match is None or len(line) > _MAX_LINE or line.endswith("."):
        return None
    return match["names"]


def split_categories(names: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the categories in order, each once, and a sentence for each guessed split.

    Names are separated by a comma, bar, semicolon or dot. If there is none, a new name begins where a capital follows a
    small letter, except inside names such as iPhone and McDonald.
    """
    if _SEPARATORS.search(names):
        return _each_once(_SEPARATORS.split(names)), ()
    parts = _each_once(names[start:end] for start, end in pairwise([0, *_seams(names), len(names)]))
    if len(parts) < 2:
        return parts, ()
    guess = (
        f'the category line "{names}" was split where a lower-case letter meets an upper-case one: '
        f"{', '.join(parts)}"
    )
    return parts, (guess,)


def _seams(names: str) -> Iterator[int]:
    known = [match.span() for match in _NAMES.finditer(names)]
    begins = 0
    for index in range(1, len(names)):
        before, after = names[index - 1], names[index]
        if before == " ":
            begins = index
        is_seam = before.islower() and (after.isupper() or any(start == index for start, _ in known))
        inside_known = any(start < index < end for start, end in known)
        prefix = names[begins:index]
        if is_seam and not inside_known and prefix != "Mc" and len(prefix) > 1:
            begins = index
            yield index


def _each_once(names: Iterable[str]) -> tuple[str, ...]:
    unique: dict[str, str] = {}
    for name in names:
        if name.strip():
            unique.setdefault(name.strip().casefold(), name.strip())
    return tuple(unique.values())
