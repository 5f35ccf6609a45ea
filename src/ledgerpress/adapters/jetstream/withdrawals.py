"""Which events are withdrawn: their headers, as the withdrawals on record carry them.

An erased message leaves no trace, so a reader that meets a missing sequence takes the header from here, and a writer the
version of a stream whose last event is erased.
"""

import asyncio
from bisect import insort
from collections.abc import Sequence

from ledgerpress.adapters.jetstream.address import Names
from ledgerpress.adapters.jetstream.leader import Leader, StoredMessage
from ledgerpress.adapters.jetstream.message import read_body
from ledgerpress.eventlog.envelope import Header


class Withdrawals:
    """All withdrawals on record, kept up by looking at the leader."""

    def __init__(self, leader: Leader, names: Names) -> None:
        self._leader = leader
        self._names = names
        self._headers: dict[int, Header] = {}
        self._of_stream: dict[str, list[Header]] = {}
        self._of_event: dict[str, Header] = {}
        self._read = 0
        self._reading: asyncio.Lock = asyncio.Lock()

    def get(self, position: int) -> Header | None:
        """Return the header of the withdrawn event at `position`, as far as is known."""
        return self._headers.get(position)

    def of_stream(self, stream: str) -> Sequence[Header]:
        """Return the headers of a stream's withdrawn events, in order, as far as is known."""
        return self._of_stream.get(stream, ())

    def of_event(self, event_id: str) -> Header | None:
        """Return the header of a withdrawn event, as far as is known."""
        return self._of_event.get(event_id)

    async def refresh(self) -> None:
        """Learn of all that are recorded by now."""
        async with self._reading:
            head = await self._leader.head()
            while found := await self._leader.next_of(self._names.withdrawals, self._read):
                self.learn(found)
                self._read = found.sequence
            # The next time the server need not search again where there are none.
            self._read = max(self._read, head)

    def learn(self, message: StoredMessage) -> None:
        """Take in a withdrawal."""
        header = read_body(message.sequence, message.data).withdraws
        if header is not None:
            self.add(header)

    def add(self, header: Header) -> None:
        """Note that the event with this header is withdrawn."""
        if header.position not in self._headers:
            self._headers[header.position] = header
            self._of_event[header.event_id] = header
            insort(self._of_stream.setdefault(header.stream, []), header, key=_position)


def _position(header: Header) -> int:
    return header.position
