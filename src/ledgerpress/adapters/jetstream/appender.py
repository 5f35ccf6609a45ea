"""Appends commands: prepares the messages, sends them, and determines the result if the answer does not.

The guard of a write is the sequence of the last message on its stream's subjects (see `SubjectNames.subject`). An attempt
without a clear answer is sent again with the same guards and ids, and `AppendResolution` determines its result.

If several servers hold the log, a failed guard is not a clear answer either. While a server does not know yet that
another one is the leader, both have received the message, and the first may reject it before the second records it.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from ledgerpress.adapters.jetstream.append_preparation import (
    AppendAttempt,
    AppendMessages,
    guards_other_streams,
)
from ledgerpress.adapters.jetstream.append_queue_per_stream import StreamLocks
from ledgerpress.adapters.jetstream.append_resolution import AppendResolution
from ledgerpress.adapters.jetstream.head_and_pause_broadcast import MAX_PAUSE, HeadBroadcast
from ledgerpress.adapters.jetstream.log_stream_shared_objects import LogStream
from ledgerpress.adapters.jetstream.publisher import (
    EXPECTED,
    EXPECTED_HEAD,
    MAX_BATCH,
    MESSAGE_ID,
    Answer,
    Busy,
    Conflict,
    Duplicate,
    Publisher,
    Recorded,
    Unclear,
)
from ledgerpress.eventlog.envelope import Header
from ledgerpress.eventlog.errors import (
    AppendUnresolved,
    DuplicateEvent,
    InvalidEnvelope,
    LogUnavailable,
    WrongExpectedVersion,
)
from ledgerpress.eventlog.log import StreamWrite

RETRY_TIMEOUT: Final = 10.0
"""Seconds of retries of an append."""
RETRY_DELAYS: Final = (0.0, 0.01, 0.03, 0.1, 0.2)
"""Seconds before the next attempts; the last value for all further ones."""
PAUSE_OTHERS_AFTER: Final = 2
"""Failed attempts after which an append with a guard of another stream asks the other nodes to pause."""
SETTLE_INTERVAL: Final = 0.005
"""Seconds between two reads of the head, to see that pending appends are recorded."""


@dataclass(slots=True)
class _UnresolvedAttempt:
    """An attempt that may have been, or may yet be, recorded; and the unclear answer, unless it was a conflict."""

    attempt: AppendAttempt
    unclear: str


@dataclass(slots=True)
class _AppendProgress:
    deadline: float
    failed: int = 0
    unresolved: dict[tuple[str, ...], _UnresolvedAttempt] = field(default_factory=dict)
    """By their guards: two attempts with the same guards are the same attempt."""

    def add_unresolved(self, attempt: AppendAttempt, unclear: str) -> None:
        guards = tuple(
            f"{message.headers[EXPECTED]}/{message.headers.get(EXPECTED_HEAD)}"
            for message in attempt.messages
        )
        known = self.unresolved.setdefault(guards, _UnresolvedAttempt(attempt, unclear))
        known.unclear = unclear or known.unclear

    def final_error(self, error: LogUnavailable) -> LogUnavailable:
        """Return the error to raise at the end, if `error` was the last one."""
        if not self.unresolved:
            return error
        reasons = [unresolved.unclear for unresolved in self.unresolved.values() if unresolved.unclear]
        return AppendUnresolved(
            f"NATS gave no clear answer for {RETRY_TIMEOUT:g} seconds: whether this was recorded is not known "
            f"({reasons[-1] if reasons else error})"
        )


class Appender:
    def __init__(self, stream: LogStream, broadcast: HeadBroadcast, *, may_be_deposed: bool) -> None:
        """`may_be_deposed`: whether the server that answers may be a deposed leader."""
        self._broadcast = broadcast
        self._stream = stream
        self._may_be_deposed = may_be_deposed
        self._resolution = AppendResolution(stream)
        self._messages = AppendMessages(stream)
        self._publisher = Publisher(stream.connection)
        self._locks = StreamLocks()
        self.resolved = 0
        """For how many appends without a clear answer it was determined whether they are recorded."""

    async def append(self, writes: Sequence[StreamWrite], withdraws: Header | None = None) -> int:
        """Record `writes`, which are checked, and return the position of the last event.

        `withdraws` is the header of the event that they withdraw. Raises as `EventLog.append` does.
        """
        _check(writes)
        lock = self._locks.enqueue([write.stream for write in writes])
        try:
            if lock.must_wait:
                await lock.acquire()
            return await self._record(writes, withdraws)
        except BaseException:
            self._messages.forget(writes)
            raise
        finally:
            lock.release()

    async def _record(self, writes: Sequence[StreamWrite], withdraws: Header | None) -> int:
        progress = _AppendProgress(monotonic() + RETRY_TIMEOUT)
        while True:
            answer: Answer = Busy("there is no leader")
            try:
                attempt, answer = await self._send(writes, withdraws, progress)
                if isinstance(answer, Recorded):
                    self._messages.note_recorded(writes, attempt, answer.position)
                    return answer.position
                if isinstance(answer, Duplicate) and not progress.unresolved:
                    await self._messages.prepare(writes, withdraws, use_cache=False)
                    raise DuplicateEvent(event_id=await self._duplicate_id(attempt))
                if isinstance(answer, Unclear) or (self._may_be_deposed and isinstance(answer, Conflict)):
                    progress.add_unresolved(attempt, answer.reason if isinstance(answer, Unclear) else "")
                if position := await self._resolve(progress):
                    return position
            except WrongExpectedVersion:
                # It may be our own attempt that has changed the stream.
                with suppress(LogUnavailable):
                    if position := await self._resolve(progress):
                        return position
                if not progress.unresolved:
                    raise
            except LogUnavailable as error:
                # If nothing was sent, that is a result. Otherwise wait as long as a leader may be elected.
                if not progress.unresolved or monotonic() > progress.deadline:
                    raise progress.final_error(error) from error
            if monotonic() > progress.deadline:
                raise progress.final_error(_unavailable(answer))
            await self._wait_before_retry(
                progress, at_once=guards_other_streams(writes) and isinstance(answer, Conflict)
            )

    async def _send(
        self, writes: Sequence[StreamWrite], withdraws: Header | None, progress: _AppendProgress
    ) -> tuple[AppendAttempt, Answer]:
        if not guards_other_streams(writes):
            await self._broadcast.wait_until_resumed()
        elif progress.failed >= PAUSE_OTHERS_AFTER:
            async with self._broadcast.others_paused():
                await self._wait_until_settled()
                return await self._send_now(writes, withdraws, progress)
        return await self._send_now(writes, withdraws, progress)

    async def _send_now(
        self, writes: Sequence[StreamWrite], withdraws: Header | None, progress: _AppendProgress
    ) -> tuple[AppendAttempt, Answer]:
        async with self._publisher.slot_for(sum([len(write.events) for write in writes])):
            attempt = await self._messages.prepare(writes, withdraws, use_cache=not progress.failed)
            return attempt, await self._publisher.publish(attempt.messages)

    async def _wait_until_settled(self) -> None:
        """Wait until the appends that were pending are recorded."""
        deadline, previous = monotonic() + MAX_PAUSE / 2, -1
        while (head := await self._stream.leader.head()) != previous and monotonic() < deadline:
            previous = head
            await asyncio.sleep(SETTLE_INTERVAL)

    async def _resolve(self, progress: _AppendProgress) -> int | None:
        """Return the position of an unresolved attempt if one was recorded; drop those that never can be."""
        for guards, unresolved in list(progress.unresolved.items()):
            position = await self._resolution.of(unresolved.attempt)
            if position is not None:
                self.resolved += bool(unresolved.unclear)
                if position:
                    return position
                del progress.unresolved[guards]
        return None

    async def _duplicate_id(self, attempt: AppendAttempt) -> str:
        """Return which of the attempt's ids is recorded already."""
        ids = [message.headers[MESSAGE_ID] for message in attempt.messages]
        for message_id in ids[:-1]:
            if await self._publisher.is_known(attempt.messages[0].subject, message_id):
                return message_id
        return ids[-1]

    async def _wait_before_retry(self, progress: _AppendProgress, *, at_once: bool) -> None:
        await self._stream.connection.wait_connected(RETRY_DELAYS[-1])
        await asyncio.sleep(0 if at_once else RETRY_DELAYS[min(progress.failed, len(RETRY_DELAYS) - 1)])
        progress.failed += 1


def _check(writes: Sequence[StreamWrite]) -> None:
    ids = [event.event_id for write in writes for event in write.events]
    if len(ids) > MAX_BATCH:
        raise InvalidEnvelope(
            f"JetStream records at most {MAX_BATCH:,} events in one append, not {len(ids):,}"
        )
    if len(ids) > 1 and len(set(ids)) < len(ids):
        raise DuplicateEvent(
            event_id=next(event_id for number, event_id in enumerate(ids) if event_id in ids[:number])
        )


def _unavailable(answer: Answer) -> LogUnavailable:
    reason = answer.reason if isinstance(answer, Busy) else "others wrote to the same streams all the time"
    return LogUnavailable(
        f"NATS did not take this for {RETRY_TIMEOUT:g} seconds, and nothing was recorded: {reason}"
    )
