"""The marks of the time bar: times at which a page changed, at most about one for each part of the bar."""

import sys
from collections.abc import Sequence
from typing import Final, NamedTuple

from ledgerpress.http.pages.page_moment import PageChanges
from ledgerpress.views import recorded_time_positions as recorded_time
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

PARTS: Final = 100
"""The number of parts of the bar. The last change in a part has a mark, and so has the first change of the page."""
_SECOND: Final = 1_000_000


class Mark(NamedTuple):
    """A position at which a page changed, and its recorded time in microseconds since 1970, UTC."""

    position: int
    time: int


def marks_of(today: Snapshot, changes: PageChanges) -> Sequence[Mark]:
    """Return the marks of a page, oldest first. They are remembered until the views change."""
    return today.once(
        ("marks of a page", changes.key),
        lambda today: _read_marks(today, changes),
        lambda marks: sys.getsizeof(marks) + 150 * len(marks),
    )


def time_at(today: Snapshot, position: int) -> int:
    """Return the recorded time at a position; that of the first event before all of them."""
    time = recorded_time.time_at(today, max(position, 1))
    return 0 if time is None else time


def _read_marks(today: Snapshot, changes: PageChanges) -> tuple[Mark, ...]:
    """Read the changes backwards, from part to part: parts without a change cost nothing."""
    first = changes.first(0)
    if first is None:
        return ()
    start = time_at(today, first)
    length = max((time_at(today, today.position) - start) // PARTS, 1)
    marks: list[Mark] = []
    before = today.position + 1
    while (position := changes.about_last(before)) is not None and position > first:
        time = time_at(today, position)
        marks.append(Mark(position, time))
        start_of_part = start + (time - start) // length * length
        before = min(position, recorded_time.position_at(today, start_of_part - 1) + 1)
    # Readers go there for the text before the first correction, which may follow within the same part.
    return (Mark(first, start), *reversed(marks))
