"""An index of the headers of withdrawn events, which it reads from the recorded withdrawals.

An erased message leaves no trace in the stream. In this index, a reader finds the header of an event whose sequence is
missing, and a writer finds the version of a stream whose last event is erased.
"""

import asyncio
from bisect import insort
from collections.abc import Sequence
from time import monotonic
from typing import Final

from ledgerpress.adapters.jetstream.message_codec import read_body
from ledgerpress.adapters.jetstream.stream_leader_api import LeaderRequests, polls
from ledgerpress.adapters.jetstream.subject_names import SubjectNames
from ledgerpress.eventlog.envelope import Header
from ledgerpress.eventlog.kernel_events import withdrawal_stream

SETTLE_TIME: Final = 120.0
"""Seconds after which every server that answers as the leader has a recorded message. A deposed leader stops answering
earlier."""


class WithdrawalIndex:
    """An index of all recorded withdrawals, updated by requests to the leader."""

    def __init__(self, leader: LeaderRequests, names: SubjectNames) -> None:
        self._leader = leader
        self._names = names
        self._headers: dict[int, Header] = {}
        self._of_stream: dict[str, list[Header]] = {}
        self._of_record: dict[str, Header] = {}
        self._read_to = 0
        self._head, self._head_read_at = 0, -SETTLE_TIME
        self._refreshing: asyncio.Lock = asyncio.Lock()

    def get(self, position: int) -> Header | None:
        """Return the header of the withdrawn event at `position`, if it is in the index."""
        return self._headers.get(position)

    def of_stream(self, stream: str) -> Sequence[Header]:
        """Return the headers of a stream's withdrawn events that are in the index, in order."""
        return self._of_stream.get(stream, ())

    def subjects(self, stream: str) -> str:
        """Return a pattern that matches the messages of a stream: one subject if its withdrawal is in the index.

        The server compares the pattern of an unknown withdrawal with all subjects of the log.
        """
        header = self._of_record.get(stream)
        return self._names.guarded(stream) if header is None else self._names.subject(stream, header.stream)

    async def refresh(self) -> None:
        """Add all withdrawals that the server has when it answers."""
        async with self._refreshing:
            while message := await self._leader.next_of(self._names.withdrawals, self._read_to):
                if (header := read_body(message.sequence, message.data).withdraws) is not None:
                    self.add(header)
                self._read_to = message.sequence
            await self._advance_start()

    async def find(self, position: int) -> Header | None:
        """Return the header of the event at `position` if it is withdrawn. Refresh the index if needed."""
        header = self.get(position)
        if header is None:
            async for _ in polls():
                await self.refresh()
                if header := self.get(position):
                    break
        return header

    async def _advance_start(self) -> None:
        """Start the next search later: with many streams, a search without a match costs the server milliseconds."""
        if (now := monotonic()) - self._head_read_at > SETTLE_TIME:
            # The server that just reported the end of the withdrawals has all that was recorded `SETTLE_TIME` ago.
            self._read_to = max(self._read_to, self._head)
            self._head, self._head_read_at = await self._leader.head(), now

    def add(self, header: Header) -> None:
        """Add the header of a withdrawn event."""
        if header.position not in self._headers:
            self._headers[header.position] = header
            self._of_record[withdrawal_stream(header.event_id)] = header
            insort(self._of_stream.setdefault(header.stream, []), header, key=_position)


def _position(header: Header) -> int:
    return header.position
