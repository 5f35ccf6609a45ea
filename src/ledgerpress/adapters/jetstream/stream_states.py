"""At which version a stream of ours is, and after which message on its subjects the next one must come.

What is remembered saves a question to the leader before an append. However old it is, it does no harm: the last sequence
on a stream's subjects never returns to an earlier value (see `Names.subject`), so the server refuses what is out of date.
"""

from typing import Final, NamedTuple

from ledgerpress.adapters.jetstream.address import Names
from ledgerpress.adapters.jetstream.leader import Leader, StoredMessage
from ledgerpress.adapters.jetstream.message import read_body
from ledgerpress.adapters.jetstream.withdrawals import Withdrawals

REMEMBERED: Final = 10_000


class StreamState(NamedTuple):
    """A stream's version, and the sequence of the last message on its subjects when it was at that."""

    version: int
    guard: int


UNTOUCHED: Final = StreamState(0, 0)


class StreamStates:
    """The states of the streams that were written to or read of late."""

    def __init__(self, leader: Leader, names: Names, withdrawals: Withdrawals) -> None:
        self._leader = leader
        self._names = names
        self._withdrawals = withdrawals
        self._known: dict[str, StreamState] = {}

    def remembered(self, stream: str) -> StreamState | None:
        """Return what is known of a stream."""
        return self._known.get(stream)

    async def look_up(self, stream: str) -> StreamState:
        """Ask the leader; where more is known than it says, that holds."""
        last = await self._leader.last_of(self._names.guarded(stream))
        state = UNTOUCHED
        if last is not None:
            state = StreamState(await self._version(stream, last), last.sequence)
        self.note(stream, state)
        return self._known[stream]

    async def _version(self, stream: str, last: StoredMessage) -> int:
        if self._names.stream_of(last.subject) == stream:
            return read_body(last.sequence, last.data).stream_version
        # It is a withdrawal, maybe of the last event. What is missing by now is in the withdrawals that are read later.
        event = await self._leader.last_of(self._names.subject(stream))
        await self._withdrawals.refresh(last.sequence)
        versions = [header.stream_version for header in self._withdrawals.of_stream(stream)]
        if event is not None:
            versions.append(read_body(event.sequence, event.data).stream_version)
        return max(versions, default=0)

    def note(self, stream: str, state: StreamState) -> None:
        """Remember where a stream is, unless something later is known."""
        known = self._known.pop(stream, None)
        self._known[stream] = state if known is None or known.guard < state.guard else known
        if len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]

    def forget(self, stream: str) -> None:
        """Remember it no more."""
        self._known.pop(stream, None)
