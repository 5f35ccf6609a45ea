"""The head of each stream of events: the version of the stream, and the last sequence on its subjects.

A cached head saves a request to the leader before an append. An outdated head does no harm: the last sequence on a
stream's subjects never returns to an earlier value (see `SubjectNames.subject`), so the server rejects the append.
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
    """The version of a stream, and the sequence of the last message on its subjects at that version."""

    version: int
    guard: int


EMPTY_STREAM: Final = StreamHead(0, 0)


class StreamHeads:
    """A cache of the heads of recently written or read streams."""

    def __init__(self, leader: LeaderRequests, names: SubjectNames, withdrawals: WithdrawalIndex) -> None:
        self._leader = leader
        self._names = names
        self._withdrawals = withdrawals
        self._cache = BoundedCache[str, StreamHead](max_entries=MAX_CACHED)

    def cached(self, stream: str) -> StreamHead | None:
        return self._cache.get(stream)

    async def load(self, stream: str) -> StreamHead:
        """Return the head from the leader, or the cached one if it is later."""
        last = await self._leader.last_of(self._withdrawals.subjects(stream))
        head = EMPTY_STREAM
        if last is not None:
            head = StreamHead(await self._version(stream, last), last.sequence)
        return self.note(stream, head)

    async def version_and_head(self, stream: str) -> tuple[int, int]:
        """Return the version of a stream and the head of the log at the same moment, from one answer of the leader."""
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
        raise LogUnavailable(f"NATS does not return all withdrawals of {stream}")

    async def _version(self, stream: str, last: StoredMessage) -> int:
        if self._names.stream_of(last.subject) == stream:
            return read_body(last.sequence, last.data).stream_version
        # The last message is a withdrawal, possibly of the last event. The server that returns the last event may be a
        # deposed leader that lacks later events. But the loop from that event to the last message either finds every
        # message in between or does not reach the end, and then it raises.
        event = await self._leader.last_of(self._names.subject(stream))
        position = 0 if event is None else event.sequence
        version = 0 if event is None else read_body(event.sequence, event.data).stream_version
        polls_left = MAX_POLLS
        while position < last.sequence:
            message = await self._leader.next_of(self._names.guarded(stream), position)
            if message is None or message.sequence > last.sequence:
                polls_left -= 1
                if not polls_left:
                    raise LogUnavailable(f"NATS does not return the message at position {last.sequence}")
                await asyncio.sleep(POLL_INTERVAL)
                continue
            position, body = message.sequence, read_body(message.sequence, message.data)
            header = body.withdraws
            if header is not None:
                self._withdrawals.add(header)
            version = max(version, body.stream_version if header is None else header.stream_version)
        return version

    def note(self, stream: str, head: StreamHead) -> StreamHead:
        """Cache the head of a stream unless the cached head is later; return the later head."""
        cached_head = self._cache.get(stream)
        latest = head if cached_head is None or cached_head.guard < head.guard else cached_head
        self._cache.put(stream, latest)
        return latest

    def forget(self, stream: str) -> None:
        self._cache.pop(stream)
