"""The head of each stream of events: its version, and the sequence after which the next message on its subjects must come.

A cached head saves a request to the leader before an append. However old it is, it does no harm: the last sequence on a
stream's subjects never returns to an earlier value (see `SubjectNames.subject`), so the server rejects an outdated one.
"""

import asyncio
from typing import Final, NamedTuple

from ledgerpress.adapters.jetstream.message_codec import read_body
from ledgerpress.adapters.jetstream.stream_leader_api import (
    MAX_POLLS,
    POLL_INTERVAL,
    LeaderRequests,
    StoredMessage,
    polls,
)
from ledgerpress.adapters.jetstream.subject_names import SubjectNames
from ledgerpress.adapters.jetstream.withdrawal_index import WithdrawalIndex
from ledgerpress.bounded_cache import BoundedCache
from ledgerpress.eventlog.errors import LogUnavailable

MAX_CACHED: Final = 10_000


class StreamHead(NamedTuple):
    """A stream's version, and the sequence of the last message on its subjects at that version."""

    version: int
    guard: int


EMPTY_STREAM: Final = StreamHead(0, 0)


class StreamHeads:
    """The heads of the streams that were recently written or read."""

    def __init__(self, leader: LeaderRequests, names: SubjectNames, withdrawals: WithdrawalIndex) -> None:
        self._leader = leader
        self._names = names
        self._withdrawals = withdrawals
        self._cache = BoundedCache[str, StreamHead](max_entries=MAX_CACHED)

    def cached(self, stream: str) -> StreamHead | None:
        return self._cache.get(stream)

    async def load(self, stream: str) -> StreamHead:
        """Return the head from the leader, or the cached one if it is later."""
        last = await self._leader.last_of(self._names.guarded(stream))
        head = EMPTY_STREAM
        if last is not None:
            head = StreamHead(await self._version(stream, last), last.sequence)
        return self.note(stream, head)

    async def version_and_head(self, stream: str) -> tuple[int, int]:
        """Return the version of a stream, and the head of the log at which it has that version, from one answer."""
        async for _ in polls():
            state = await self._leader.state_of(self._names.guarded(stream))
            events = sum(
                [
                    count
                    for subject, count in state.subjects.items()
                    if self._names.stream_of(subject) == stream
                ]
            )
            withdrawn = self._withdrawals.of_stream(stream)
            if len(withdrawn) == sum(state.subjects.values()) - events:
                # An event with a recorded withdrawal may or may not be erased already.
                return events + sum([state.lacks(header.position) for header in withdrawn]), state.last_seq
            await self._withdrawals.refresh()
        raise LogUnavailable(f"the withdrawals in {stream} are not found again")

    async def _version(self, stream: str, last: StoredMessage) -> int:
        if self._names.stream_of(last.subject) == stream:
            return read_body(last.sequence, last.data).stream_version
        # It is a withdrawal, maybe of the last event. The server that returns the last event may be a deposed leader that lacks
        # later ones; but each step from there to the last message either finds everything in between, or does not arrive.
        event = await self._leader.last_of(self._names.subject(stream))
        position = 0 if event is None else event.sequence
        version = 0 if event is None else read_body(event.sequence, event.data).stream_version
        polls_left = MAX_POLLS
        while position < last.sequence:
            message = await self._leader.next_of(self._names.guarded(stream), position)
            if message is None or message.sequence > last.sequence:
                polls_left -= 1
                if not polls_left:
                    raise LogUnavailable(f"the message at position {last.sequence} is not found again")
                await asyncio.sleep(POLL_INTERVAL)
                continue
            position, body = message.sequence, read_body(message.sequence, message.data)
            header = body.withdraws
            if header is not None:
                self._withdrawals.add(header)
            version = max(version, body.stream_version if header is None else header.stream_version)
        return version

    def note(self, stream: str, head: StreamHead) -> StreamHead:
        """Cache the head of a stream, unless a later one is known; return the later one."""
        known = self._cache.get(stream)
        latest = head if known is None or known.guard < head.guard else known
        self._cache.put(stream, latest)
        return latest

    def forget(self, stream: str) -> None:
        self._cache.pop(stream)
