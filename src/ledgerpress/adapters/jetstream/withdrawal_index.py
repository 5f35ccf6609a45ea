"""Which events are withdrawn: their headers, as the withdrawals on record carry them.

An erased message leaves no trace, so a reader that meets a missing sequence takes the header from here, and a writer the
version of a stream whose last event is erased.
"""

import asyncio
from bisect import insort
from collections.abc import Sequence
from time import monotonic
from typing import Final

from ledgerpress.adapters.jetstream.leader_requests import LeaderRequests, polls
from ledgerpress.adapters.jetstream.message_codec import read_body
from ledgerpress.adapters.jetstream.url import SubjectNames
from ledgerpress.eventlog.envelope import Header

SETTLED: Final = 120.0
"""Seconds after which every server that still answers as the leader has what was recorded: more than it takes to notice."""


class WithdrawalIndex:
    """All withdrawals on record, kept up by looking at the leader."""

    def __init__(self, leader: LeaderRequests, names: SubjectNames) -> None:
        self._leader = leader
        self._names = names
        self._headers: dict[int, Header] = {}
        self._of_stream: dict[str, list[Header]] = {}
        self._read = 0
        self._head, self._head_at = 0, -SETTLED
        self._reading: asyncio.Lock = asyncio.Lock()

    def get(self, position: int) -> Header | None:
        """Return the header of the withdrawn event at `position`, as far as is known."""
        return self._headers.get(position)

    def of_stream(self, stream: str) -> Sequence[Header]:
        """Return the headers of a stream's withdrawn events, in order, as far as is known."""
        return self._of_stream.get(stream, ())

    async def refresh(self) -> None:
        """Learn of all that are recorded by now, as far as whoever answers knows."""
        async with self._reading:
            while found := await self._leader.next_of(self._names.withdrawals, self._read):
                if (header := read_body(found.sequence, found.data).withdraws) is not None:
                    self.add(header)
                self._read = found.sequence
            await self._settle()

    async def find(self, position: int) -> Header | None:
        """Return the header of the withdrawn event at `position`, if it is one: not known at once, it is looked for."""
        header = self.get(position)
        if header is None:
            async for _ in polls():
                await self.refresh()
                if header := self.get(position):
                    break
        return header

    async def _settle(self) -> None:
        """Let searches begin further on: with many streams it costs a server milliseconds to find that there is nothing."""
        if (now := monotonic()) - self._head_at > SETTLED:
            # Whoever has just found no more had all that was recorded so long ago.
            self._read = max(self._read, self._head)
            self._head, self._head_at = await self._leader.head(), now

    def add(self, header: Header) -> None:
        """Note that the event with this header is withdrawn."""
        if header.position not in self._headers:
            self._headers[header.position] = header
            insort(self._of_stream.setdefault(header.stream, []), header, key=_position)


def _position(header: Header) -> int:
    return header.position
