"""Read events by position, with few reads for positions that are near each other."""

from collections.abc import Iterable, Iterator
from typing import Final

from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.log import EventLog

_NEAR: Final = 16
"""Positions with at most this distance are read in one batch, together with the positions between them."""


async def events_at(log: EventLog, positions: Iterable[int]) -> dict[int, StoredEvent]:
    """Return the events at the positions, and some between them, by position."""
    events: dict[int, StoredEvent] = {}
    for first, last in _runs(sorted(positions)):
        after = first - 1
        while after < last and (batch := await log.read(after, last - after)):
            events.update((event.position, event) for event in batch)
            after = batch[-1].position
    return events


def _runs(positions: list[int]) -> Iterator[tuple[int, int]]:
    if not positions:
        return
    first = last = positions[0]
    for position in positions[1:]:
        if position - last > _NEAR:
            yield first, last
            first = position
        last = position
    yield first, last
