"""The category line of a scraped page, whose separators the scraper may have lost."""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

_LABEL: Final = re.compile(r"(?:categor(?:y|ies)|filed under|posted in)\s*:\s*(?P<names>.*)", re.IGNORECASE)
_SEPARATORS: Final = re.compile(r"[,|;•·]")
_MAX_LINE: Final = 300

# Names that have a capital inside. "Mc" and a single small letter (eSports, iPlayer) need no entry.
_NAMES: Final = re.compile(
    "iPhone|iPad|iPod|iOS|iCloud|macOS|eBay|YouTube|TikTok|WhatsApp|LinkedIn|PayPal|PlayStation|JavaScript|"
    "TypeScript|GitHub|WordPress|OpenAI|SpaceX|FedEx|YouGov|DevOps|PhD"
)


def category_names(line: str) -> str | None:
    """Return what follows the label of a category line ("Categories: …"); None if it is not one."""
    match = _LABEL.fullmatch(line)
    if match is None or len(line) > _MAX_LINE or line.endswith("."):
        return None
    return match["names"]


def split_categories(names: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the categories in order, each once, and a sentence for every split that was guessed.

    A comma, bar, semicolon or dot between names wins. Where there is none, a name begins where a capital
    follows a small letter, except inside names such as iPhone and McDonald.
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
    found: dict[str, str] = {}
    for name in names:
        if name.strip():
            found.setdefault(name.strip().casefold(), name.strip())
    return tuple(found.values())
