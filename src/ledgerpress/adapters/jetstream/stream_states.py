"""At which version a stream of ours is, and after which message on its subject the next one must come.

What is remembered saves a question to the leader before an append. It is never trusted for long: see `withdrawals`.
"""

from time import monotonic
from typing import Final, NamedTuple

from ledgerpress.adapters.jetstream.address import Names
from ledgerpress.adapters.jetstream.leader import Leader
from ledgerpress.adapters.jetstream.message import read_body
from ledgerpress.adapters.jetstream.withdrawals import FRESH, Withdrawals

REMEMBERED: Final = 10_000


class StreamState(NamedTuple):
    """A stream's version, the sequence of the last message on its subject, and when that was so (`monotonic`)."""

    version: int
    guard: int
    as_of: float


class StreamStates:
    """The states of the streams that were written to of late."""

    def __init__(self, leader: Leader, names: Names, withdrawals: Withdrawals) -> None:
        self._leader = leader
        self._names = names
        self._withdrawals = withdrawals
        self._known: dict[str, StreamState] = {}

    def remembered(self, stream: str) -> StreamState | None:
        """Return what is known of a stream, unless it was too long ago."""
        state = self._known.get(stream)
        return state if state is not None and monotonic() - state.as_of < FRESH else None

    def untouched(self, stream: str) -> StreamState | None:
        """Return the state of a stream without any event, unless one of its events is known to be withdrawn."""
        if self._withdrawals.of_stream(stream):
            return None
        return StreamState(0, 0, monotonic())

    async def look_up(self, stream: str) -> StreamState:
        """Ask the leader."""
        as_of = monotonic()
        if not self._withdrawals.is_fresh():
            await self._withdrawals.refresh()
        last = await self._leader.last_of(self._names.subject(stream))
        version, guard = 0, 0
        if last is not None:
            version, guard = read_body(last.sequence, last.data).stream_version, last.sequence
        withdrawn = self._withdrawals.of_stream(stream)
        if withdrawn and withdrawn[-1].position > guard:
            version = withdrawn[-1].stream_version
        state = StreamState(version, guard, as_of)
        self.note(stream, state)
        return state

    def note(self, stream: str, state: StreamState) -> None:
        """Remember a stream's state."""
        self._known.pop(stream, None)
        self._known[stream] = state
        if len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]

    def forget(self, stream: str) -> None:
        """Remember it no more."""
        self._known.pop(stream, None)
