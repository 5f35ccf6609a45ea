"""Which events are withdrawn: their headers, as the withdrawals on record carry them.

An erased message leaves no trace in its subject, so two things hang on this. A reader that meets a missing sequence
takes the header from here. And a writer learns from here that a stream goes on beyond its last message: `ERASE_AFTER`
seconds lie between the record of a withdrawal and the erasing of a stream's last message, and nobody begins to write
with what he knew `FRESH` seconds ago. So nobody can take a stream for shorter than it is.
"""

import asyncio
from bisect import insort
from collections.abc import Sequence
from time import monotonic
from typing import Final

from ledgerpress.adapters.jetstream.address import Names
from ledgerpress.adapters.jetstream.leader import Leader, StoredMessage
from ledgerpress.adapters.jetstream.message import read_body
from ledgerpress.eventlog.envelope import Header

FRESH: Final = 2.0
ERASE_AFTER: Final = 6.0


class Withdrawals:
    """All withdrawals on record, kept up by looking at the leader."""

    def __init__(self, leader: Leader, names: Names) -> None:
        self._leader = leader
        self._names = names
        self._headers: dict[int, Header] = {}
        self._of_stream: dict[str, list[Header]] = {}
        self._read = 0
        self._as_of = float("-inf")
        self._reading: asyncio.Lock = asyncio.Lock()

    def get(self, position: int) -> Header | None:
        """Return the header of the withdrawn event at `position`, as far as is known."""
        return self._headers.get(position)

    def of_stream(self, stream: str) -> Sequence[Header]:
        """Return the headers of a stream's withdrawn events, in order, as far as is known."""
        return self._of_stream.get(stream, ())

    def is_fresh(self) -> bool:
        """Whether what is known was complete less than `FRESH` seconds ago."""
        return monotonic() - self._as_of < FRESH

    async def refresh(self) -> None:
        """Learn of all that are recorded by now."""
        asked = monotonic()
        async with self._reading:
            if self._as_of > asked:
                return
            begun = monotonic()
            while found := await self._leader.next_of(self._names.withdrawals, self._read):
                self.learn(found)
                self._read = found.sequence
            self._as_of = begun

    def learn(self, message: StoredMessage) -> None:
        """Take in a withdrawal."""
        header = read_body(message.sequence, message.data).withdraws
        if header is not None:
            self.add(header)

    def add(self, header: Header) -> None:
        """Note that the event with this header is withdrawn."""
        if header.position not in self._headers:
            self._headers[header.position] = header
            insort(self._of_stream.setdefault(header.stream, []), header, key=_position)


def _position(header: Header) -> int:
    return header.position
