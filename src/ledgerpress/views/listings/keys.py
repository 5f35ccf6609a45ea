"""The integer keys under which listings are kept, and the two ways to count a category."""

from typing import Final

EVERY_ARTICLE: Final = 0
"""The listing of all articles. That of a category or an author has the position of its creation as key."""

DIRECT: Final = 0
"""Count what is in the category itself, and in those merged into it."""
WITH_DESCENDANTS: Final = 1
"""Count what is in the category or in any below it."""

_STATUS_KEYS: Final = {
    "DRAFT": -1,
    "PUBLISHED": -2,
    "UNPUBLISHED": -3,
    "ARCHIVED": -4,
}
"""Stored in every row of a listing: a key MUST never change, and a new status takes the next free number."""


def status_key(status: str) -> int:
    """Return the key of the editors' listing of all posts with a status: a negative number."""
    return _STATUS_KEYS[status]


EVERY_POST: Final = tuple(_STATUS_KEYS.values())
"""The keys that together list every post once."""

NO_LONGER_PUBLIC: Final = (status_key("UNPUBLISHED"), status_key("ARCHIVED"))
"""The keys that together list every post that was public once and is not; archived drafts are among them."""
