"""At which version a stream of ours is, and after which message on its subjects the next one must come.

What is remembered saves a question to the leader before an append. However old it is, it does no harm: the last sequence
on a stream's subjects never returns to an earlier value (see `SubjectNames.subject`), so the server refuses what is out of date.
"""

import asyncio
from typing import Final, NamedTuple

from ledgerpress.adapters.jetstream.leader_requests import (
    LOOK_PAUSE,
    LOOKS,
    LeaderRequests,
    StoredMessage,
    polls,
)
from ledgerpress.adapters.jetstream.message_codec import read_body
from ledgerpress.adapters.jetstream.url import SubjectNames
from ledgerpress.adapters.jetstream.withdrawal_index import WithdrawalIndex
from ledgerpress.eventlog.errors import LogUnavailable

REMEMBERED: Final = 10_000


class StreamHead(NamedTuple):
    """A stream's version, and the sequence of the last message on its subjects when it was at that."""

    version: int
    guard: int


UNTOUCHED: Final = StreamHead(0, 0)


class StreamHeads:
    """The states of the streams that were written to or read of late."""

    def __init__(self, leader: LeaderRequests, names: SubjectNames, withdrawals: WithdrawalIndex) -> None:
        self._leader = leader
        self._names = names
        self._withdrawals = withdrawals
        self._known: dict[str, StreamHead] = {}

    def remembered(self, stream: str) -> StreamHead | None:
        """Return what is known of a stream."""
        return self._known.get(stream)

    async def look_up(self, stream: str) -> StreamHead:
        """Ask the leader; where more is known than it says, that holds."""
        last = await self._leader.last_of(self._names.guarded(stream))
        state = UNTOUCHED
        if last is not None:
            state = StreamHead(await self._version(stream, last), last.sequence)
        self.note(stream, state)
        return self._known[stream]

    async def version_and_head(self, stream: str) -> tuple[int, int]:
        """Return the version of a stream, and the position up to which it is at that: both as one answer has them."""
        async for _ in polls():
            state = await self._leader.on(self._names.guarded(stream))
            events = sum([n for on, n in state.subjects.items() if self._names.stream_of(on) == stream])
            withdrawn = self._withdrawals.of_stream(stream)
            if len(withdrawn) == sum(state.subjects.values()) - events:
                # An event whose withdrawal is on record may be erased already, or not.
                return events + sum([state.lacks(header.position) for header in withdrawn]), state.last_seq
            await self._withdrawals.refresh()
        raise LogUnavailable(f"the withdrawals in {stream} are not found again")

    async def _version(self, stream: str, last: StoredMessage) -> int:
        if self._names.stream_of(last.subject) == stream:
            return read_body(last.sequence, last.data).stream_version
        # It is a withdrawal, maybe of the last event. Whoever is asked for that may have led before, and lack what came
        # after it; but each step from there to the last message finds all that there is, or does not arrive.
        event = await self._leader.last_of(self._names.subject(stream))
        at = 0 if event is None else event.sequence
        version = 0 if event is None else read_body(event.sequence, event.data).stream_version
        polls = LOOKS
        while at < last.sequence:
            found = await self._leader.next_of(self._names.guarded(stream), at)
            if found is None or found.sequence > last.sequence:
                if not (polls := polls - 1):
                    raise LogUnavailable(f"the message at position {last.sequence} is not found again")
                await asyncio.sleep(LOOK_PAUSE)
                continue
            at, body = found.sequence, read_body(found.sequence, found.data)
            header = body.withdraws
            if header is not None:
                self._withdrawals.add(header)
            version = max(version, body.stream_version if header is None else header.stream_version)
        return version

    def note(self, stream: str, state: StreamHead) -> None:
        """Remember where a stream is, unless something later is known."""
        known = self._known.pop(stream, None)
        self._known[stream] = state if known is None or known.guard < state.guard else known
        if len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]

    def forget(self, stream: str) -> None:
        """Remember it no more."""
        self._known.pop(stream, None)
