"""At which version a stream of ours is, and after which message on its subject the next one must come.

What is remembered saves a question to the leader before an append. It is never trusted for long (see `withdrawals`), but
one question can confirm all of it: where every message up to the leader's last one was written or read by this node,
no stream has moved that it did not notice. A node that follows the log has read nearly everything all the time.
"""

import asyncio
from collections.abc import Iterable
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
    """The states of the streams that were written to or read of late."""

    def __init__(self, leader: Leader, names: Names, withdrawals: Withdrawals, head: int) -> None:
        """Take the head as it was when the log was opened: nothing is remembered from before."""
        self._leader = leader
        self._names = names
        self._withdrawals = withdrawals
        self._known: dict[str, StreamState] = {}
        self._noticed = head
        """Every message up to this sequence is taken into account, where its stream is remembered."""
        self._ahead: set[int] = set()
        self._changes = 0
        self._complete = float("-inf")
        self._confirming: asyncio.Task[None] | None = None

    def remembered(self, stream: str) -> StreamState | None:
        """Return what is known of a stream, unless it was too long ago."""
        state = self._known.get(stream)
        if state is None:
            return None
        now = monotonic()
        return state if now - state.as_of < FRESH or now - self._complete < FRESH else None

    async def confirm(self, streams: Iterable[str]) -> None:
        """Ask the leader once whether all that is remembered still holds, if that would help with one of `streams`."""
        if monotonic() - self._complete >= FRESH and any(stream in self._known for stream in streams):
            if self._confirming is None:
                self._confirming = asyncio.get_running_loop().create_task(self._look_at_head())
            await asyncio.shield(self._confirming)

    def untouched(self, stream: str) -> StreamState | None:
        """Return the state of a stream without any event, unless one of its events is known to be withdrawn."""
        if self._withdrawals.of_stream(stream):
            return None
        return StreamState(0, 0, monotonic())

    async def look_up(self, stream: str) -> StreamState:
        """Ask the leader."""
        as_of, changes = monotonic(), self._changes
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
        if self._changes - changes < REMEMBERED:
            # Otherwise a later state may have been noted meanwhile, and dropped to make room.
            self._remember(stream, state)
        return state

    def written(self, stream: str, state: StreamState, first: int) -> None:
        """Note that this node has written to a stream, from the position `first` up to the guard in `state`."""
        self._remember(stream, state)
        for position in range(first, state.guard + 1):
            self._notice(position)

    def read(self, stream: str, version: int, position: int) -> None:
        """Note an event that this node has read, in the order of positions."""
        # Of what was there before, only the last event of a stream would say where that is.
        if position > self._noticed or stream in self._known:
            self._remember(stream, StreamState(version, position, float("-inf")))
        self._notice(position)

    def forget(self, stream: str) -> None:
        """Remember it no more."""
        self._known.pop(stream, None)

    def _remember(self, stream: str, state: StreamState) -> None:
        known = self._known.pop(stream, None)
        if known is not None and (known.version, known.as_of) > (state.version, state.as_of):
            state = known
        self._known[stream] = state
        self._changes += 1
        if len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]

    def _notice(self, position: int) -> None:
        if position == self._noticed + 1:
            self._noticed = position
            while self._noticed + 1 in self._ahead:
                self._noticed += 1
                self._ahead.remove(self._noticed)
        elif position > self._noticed and len(self._ahead) < REMEMBERED:
            self._ahead.add(position)

    async def _look_at_head(self) -> None:
        try:
            as_of = monotonic()
            if await self._leader.head() <= self._noticed:
                self._complete = as_of
        finally:
            self._confirming = None
