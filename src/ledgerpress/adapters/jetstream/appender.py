"""Appends the events of commands: prepares the messages, sends them, and determines the result of an unclear answer.

The guard of a write is the sequence of the last message on its stream's subjects (see `SubjectNames.subject`). An
attempt without a clear answer is sent again with the same guards and ids. `AppendResolution` determines its result.

If the log has several replicas, a failed guard is not a clear answer either. While a deposed leader does not know yet
that another server is the leader, both may receive the message. The deposed leader may reject the message before the
new leader records it.
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
    Acknowledgement,
    Answer,
    Busy,
    Conflict,
    Duplicate,
    Publisher,
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
"""Seconds for which an append is retried."""
RETRY_DELAYS: Final = (0.0, 0.01, 0.03, 0.1, 0.2)
"""Seconds before each retry; the last value applies to all further retries."""
PAUSE_OTHERS_AFTER: Final = 2
"""Failed attempts after which an append that guards a stream without writing to it asks the other nodes to pause."""
SETTLE_INTERVAL: Final = 0.005
"""Seconds between two reads of the head while pending appends are being recorded."""


_IGNORED: Final = (
    "NATS does not store messages any more, and nothing was recorded: its disk is full or failed. NATS stores no "
    "messages until it is restarted: free space, check its disk, and restart it"
)


@dataclass(slots=True)
class _UnresolvedAttempt:
    """An attempt that may have been recorded, or may still be recorded.

    `unclear` is the reason in the unclear answer; empty if the answer was a conflict.
    """

    attempt: AppendAttempt
    unclear: str


@dataclass(slots=True)
class _AppendProgress:
    deadline: float
    failed: int = 0
    unresolved: dict[tuple[str, ...], _UnresolvedAttempt] = field(default_factory=dict)
    """Unresolved attempts by their guards: two attempts with the same guards are the same attempt."""

    def add_unresolved(self, attempt: AppendAttempt, unclear: str) -> None:
        guards = tuple(
            f"{message.headers[EXPECTED]}/{message.headers.get(EXPECTED_HEAD)}"
            for message in attempt.messages
        )
        entry = self.unresolved.setdefault(guards, _UnresolvedAttempt(attempt, unclear))
        entry.unclear = unclear or entry.unclear

    def final_error(self, error: LogUnavailable) -> LogUnavailable:
        """Return the error to raise when the append ends with `error`."""
        if not self.unresolved:
            return error
        reasons = [unresolved.unclear for unresolved in self.unresolved.values() if unresolved.unclear]
        return AppendUnresolved(
            f"NATS gave no clear answer for {RETRY_TIMEOUT:g} seconds: the append may or may not be recorded "
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
        self._ignored_since: int | None = None
        """The number of reconnects when the server ignored a message, until it may store messages again."""
        self.resolved = 0
        """Number of attempts without a clear answer whose result was determined."""

    async def append(self, writes: Sequence[StreamWrite], withdraws: Header | None = None) -> int:
        """Record `writes`, which the caller has checked, and return the position of the last event.

        `withdraws` is the header of the event whose payload they withdraw. Raises the errors of `EventLog.append`.
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

    async def check_writable(self) -> None:
        """Raise `LogUnavailable` if the server certainly accepts no messages for the log."""
        if self._ignored_since == self._stream.connection.reconnects:
            raise LogUnavailable(_IGNORED)
        self._ignored_since = None
        answer = await self._publisher.fence(self._stream.names.subject("probe"))
        if not isinstance(answer, Conflict):
            reason = answer.reason if isinstance(answer, Busy | Unclear) else "an unexpected answer"
            raise LogUnavailable(f"NATS does not accept messages for the log: {reason}")

    def note_new_leader(self) -> None:
        """Note that the stream has a new leader, or the leader was restarted: it may store messages again."""
        self._ignored_since = None

    async def _record(self, writes: Sequence[StreamWrite], withdraws: Header | None) -> int:
        progress = _AppendProgress(monotonic() + RETRY_TIMEOUT)
        while True:
            answer: Answer = Busy("there is no leader")
            try:
                attempt, answer = await self._send(writes, withdraws, progress)
                if isinstance(answer, Acknowledgement):
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
                # An earlier attempt of this append may have changed the stream.
                with suppress(LogUnavailable):
                    if position := await self._resolve(progress):
                        return position
                if not progress.unresolved:
                    raise
            except LogUnavailable as error:
                # Without unresolved attempts, nothing was recorded. Otherwise retry: a leader may be elected meanwhile.
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
            reconnects = self._stream.connection.reconnects
            answer = await self._publisher.publish(attempt.messages)
        if isinstance(answer, Unclear) and await self._was_ignored(attempt, reconnects):
            self._ignored_since = reconnects
            raise LogUnavailable(_IGNORED)
        return attempt, answer

    async def _wait_until_settled(self) -> None:
        """Wait until the head stops growing, so that pending appends are recorded; at most half of `MAX_PAUSE`."""
        deadline, previous = monotonic() + MAX_PAUSE / 2, -1
        while (head := await self._stream.leader.head()) != previous and monotonic() < deadline:
            previous = head
            await asyncio.sleep(SETTLE_INTERVAL)

    async def _resolve(self, progress: _AppendProgress) -> int | None:
        """Return the position of an unresolved attempt if one was recorded.

        Drops the attempts that can no longer be recorded.
        """
        for guards, unresolved in list(progress.unresolved.items()):
            position = await self._resolution.of(unresolved.attempt)
            if position is not None:
                self.resolved += bool(unresolved.unclear)
                if position:
                    return position
                del progress.unresolved[guards]
        return None

    async def _was_ignored(self, attempt: AppendAttempt, reconnects: int) -> bool:
        """Return whether the only server has processed the messages of an unanswered attempt and stored none of them.

        A server whose disk failed does not answer a message that it cannot store. It answers later messages that it
        need not store.
        """
        if self._may_be_deposed:
            return False
        fence = await self._publisher.fence(attempt.messages[-1].subject)
        if not isinstance(fence, Conflict) or self._stream.connection.reconnects != reconnects:
            return False
        return await self._resolution.of(attempt) is None

    async def _duplicate_id(self, attempt: AppendAttempt) -> str:
        """Return the event id of the attempt that is already recorded."""
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
    reason = (
        answer.reason
        if isinstance(answer, Busy)
        else "other appends to the same streams were always recorded first"
    )
    return LogUnavailable(
        f"NATS did not accept the append for {RETRY_TIMEOUT:g} seconds, and nothing was recorded: {reason}"
    )
