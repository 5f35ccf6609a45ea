"""The changes that created the versions in a blame, and their reasons, read in pieces when they are needed.

A post can have thousands of versions. One statement or one read of the log returns a piece of them, and other work of
the process goes on between two reads of the log.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from ledgerpress.eventlog.envelope import plaintext
from ledgerpress.eventlog.events_at_positions import events_at
from ledgerpress.eventlog.log import EventLog
from ledgerpress.features.history import change_queries as changes
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

PIECE: Final = 250
"""The number of changes that are read at once. Each event may contain a body of up to 256 KiB."""


async def reasons_at(log: EventLog, positions: Iterable[int]) -> dict[int, str | None]:
    """Return the reasons of events by position, `None` for events without one or whose payload was withdrawn."""
    reasons = dict[int, str | None]()
    for piece in pieces(positions):
        events = await events_at(log, piece)
        reasons |= {position: (plaintext(events[position]) or {}).get("reason") for position in piece}
    return reasons


def pieces(positions: Iterable[int]) -> list[list[int]]:
    """Return the positions, each once and in order, in pieces that are read at once."""
    in_order = sorted(set(positions))
    return [in_order[at : at + PIECE] for at in range(0, len(in_order), PIECE)]


class BlamedChanges:
    """The changes at certain positions. Each is read at most once."""

    def __init__(self, snapshot: Snapshot, positions: Iterable[int]) -> None:
        self._pieces = pieces(positions)
        self._snapshot = snapshot
        self._number = {position: number for number, piece in enumerate(self._pieces) for position in piece}
        self._changes: dict[int, changes.Change] = {}
        self._reasons: dict[int, asyncio.Future[Mapping[int, str | None]]] = {}
        self._turn = asyncio.Lock()

    def change(self, position: int) -> changes.Change:
        if position not in self._changes:
            piece = self._pieces[self._number[position]]
            self._changes |= {change.position: change for change in changes.at(self._snapshot, piece)}
        return self._changes[position]

    async def reason(self, position: int, log: EventLog) -> str | None:
        """Return the reason of a change, `None` if it has none or if its payload was withdrawn."""
        number = self._number[position]
        if number not in self._reasons:
            self._reasons[number] = asyncio.ensure_future(self._read(self._pieces[number], log))
        return (await self._reasons[number])[position]

    async def _read(self, positions: Sequence[int], log: EventLog) -> Mapping[int, str | None]:
        async with self._turn:
            return await reasons_at(log, positions)
