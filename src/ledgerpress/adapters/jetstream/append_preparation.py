"""Creates the messages of an append.

Each message carries a guard: the sequence of the last message on its stream's subjects. The server rejects a message
whose guard is outdated.
"""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from ledgerpress.adapters.jetstream.log_stream_shared_objects import LogStream
from ledgerpress.adapters.jetstream.message_codec import body_of
from ledgerpress.adapters.jetstream.publisher import EXPECTED, EXPECTED_HEAD, EXPECTED_ON, MESSAGE_ID, Message
from ledgerpress.adapters.jetstream.stream_heads import EMPTY_STREAM, StreamHead
from ledgerpress.eventlog.envelope import Header
from ledgerpress.eventlog.errors import WrongExpectedVersion
from ledgerpress.eventlog.log import ANY_VERSION, NO_STREAM, StreamWrite, first_writes


class AppendAttempt(NamedTuple):
    """The head of its stream before each write, and the messages to send."""

    heads: Sequence[StreamHead]
    messages: Sequence[Message]


class AppendMessages:
    def __init__(self, stream: LogStream) -> None:
        self._names = stream.names
        self._heads = stream.heads

    async def prepare(
        self, writes: Sequence[StreamWrite], withdraws: Header | None, *, use_cache: bool
    ) -> AppendAttempt:
        """Create the messages of an append, guarded by the heads of its streams.

        Without `use_cache`, load all heads from the leader. Raises `WrongExpectedVersion` if a stream has another
        version, and `LogUnavailable`.
        """
        log_head = None
        if guards_other_streams(writes):
            # A message can carry the guard of only one stream. So for streams without events, the append requires that
            # nothing at all is recorded after their versions were read.
            use_cache = False
            guards = [write for write in writes if not write.events]
            guard_states = [await self._heads.version_and_head(write.stream) for write in guards]
            for write, (version, _) in zip(guards, guard_states, strict=True):
                _check_version(write, version)
            log_head = min(position for _, position in guard_states)
        first = first_writes(writes)
        cached_heads = [self._cached(write) if use_cache or not write.events else None for write in first]
        if None in cached_heads:
            loaded_heads = iter(
                await asyncio.gather(
                    *(
                        self._heads.load(write.stream)
                        for write, head in zip(first, cached_heads, strict=True)
                        if head is None
                    )
                )
            )
            cached_heads = [head if head is not None else next(loaded_heads) for head in cached_heads]
        current = {
            write.stream: head for write, head in zip(first, cached_heads, strict=True) if head is not None
        }
        heads = []
        for write in writes:
            head = current[write.stream]
            _check_version(write, head.version)
            heads.append(head)
            # The guard of a later write is the same, because none of these events is recorded yet.
            current[write.stream] = StreamHead(head.version + len(write.events), head.guard)
        return AppendAttempt(heads, self._messages(writes, heads, withdraws, log_head))

    def _cached(self, write: StreamWrite) -> StreamHead | None:
        if not write.events:
            return StreamHead(write.expected, 0)
        head = self._heads.cached(write.stream)
        if head is None and write.expected == NO_STREAM:
            head = EMPTY_STREAM
        return head if head is not None and write.expected in (ANY_VERSION, head.version) else None

    def _messages(
        self,
        writes: Sequence[StreamWrite],
        heads: Sequence[StreamHead],
        withdraws: Header | None,
        log_head: int | None,
    ) -> list[Message]:
        messages: list[Message] = []
        remaining = sum([len(write.events) for write in writes])
        for write, head in zip(writes, heads, strict=True):
            withdrawn_header = (
                withdraws if withdraws is not None and withdraws.event_id in write.stream else None
            )
            subject = self._names.subject(
                write.stream, "" if withdrawn_header is None else withdrawn_header.stream
            )
            # A cluster compares pending messages by the text of their guards, so every message carries the guard, not
            # only the first.
            # The stream of a withdrawal has one subject. A pattern would make the server compare it with all subjects of the
            # log, while no other message can be recorded.
            guarded = self._names.guarded(write.stream) if withdrawn_header is None else subject
            guard = {EXPECTED: str(head.guard), EXPECTED_ON: guarded}
            version = head.version
            for event in write.events:
                version += 1
                remaining -= 1
                headers = {MESSAGE_ID: event.event_id, **guard}
                if log_head is not None and not messages:
                    headers[EXPECTED_HEAD] = str(log_head)
                messages.append(
                    Message(subject, headers, body_of(event, version, remaining, withdrawn_header))
                )
        return messages

    def note_recorded(self, writes: Sequence[StreamWrite], attempt: AppendAttempt, position: int) -> None:
        """Cache the new heads of the streams of a recorded attempt, whose last message is at `position`."""
        position -= len(attempt.messages)
        for write, head in zip(writes, attempt.heads, strict=True):
            if count := len(write.events):
                position += count
                self._heads.note(write.stream, StreamHead(head.version + count, position))

    def forget(self, writes: Sequence[StreamWrite]) -> None:
        """Drop the cached heads of the streams of an append that failed."""
        for write in writes:
            self._heads.forget(write.stream)


def _check_version(write: StreamWrite, version: int) -> None:
    if write.expected not in (ANY_VERSION, version):
        raise WrongExpectedVersion(stream=write.stream, expected=write.expected, actual=version)


def guards_other_streams(writes: Sequence[StreamWrite]) -> bool:
    """Return whether `writes` guard a stream without writing to it.

    Such an append succeeds only if nothing at all is recorded after the version of that stream was read.
    """
    return any(not write.events for write in writes)
