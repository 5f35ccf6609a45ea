"""Appends commands: finds the guards, sends, and finds out what came of it where the answer does not say.

The guard of a write is the sequence of the last message on its stream's subjects (`SubjectNames.subject` says which). An attempt
without a clear answer is sent again under the same guards and ids, and what became of it is looked for (`AppendResolution`).

Where several servers hold the log, that the guard does not hold is no clear answer either. While a server does not know
yet that another leads, both have got the message, and the refusal of the one may come before the other records it.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from ledgerpress.adapters.jetstream.append_messages import AppendAttempt, AppendMessages, guards_another
from ledgerpress.adapters.jetstream.append_resolution import AppendResolution
from ledgerpress.adapters.jetstream.connection import Connection
from ledgerpress.adapters.jetstream.head_broadcast import QUIET, HeadBroadcast
from ledgerpress.adapters.jetstream.leader_requests import LeaderRequests
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
from ledgerpress.adapters.jetstream.stream_heads import StreamHeads
from ledgerpress.adapters.jetstream.stream_locks import StreamLocks
from ledgerpress.adapters.jetstream.url import SubjectNames
from ledgerpress.adapters.jetstream.withdrawal_index import WithdrawalIndex
from ledgerpress.eventlog.envelope import Header
from ledgerpress.eventlog.errors import (
    AppendUnresolved,
    DuplicateEvent,
    InvalidEnvelope,
    LogUnavailable,
    WrongExpectedVersion,
)
from ledgerpress.eventlog.log import StreamWrite

PATIENCE: Final = 10.0
"""Seconds for which an append is tried again."""
PAUSES: Final = (0.0, 0.01, 0.03, 0.1, 0.2)
"""Seconds before the next attempt; the last one for all that follow."""


ALONE_AFTER: Final = 2
"""Attempts after which an append with a guard of another stream asks the others for quiet."""
SETTLES: Final = 0.005
"""Seconds between two looks at the head, to see that what was under way is recorded."""


@dataclass(slots=True)
class _Undecided:
    """An attempt of which it is not known whether it was, or will be, recorded; and what was said, if it was no refusal."""

    attempt: AppendAttempt
    unclear: str


@dataclass(slots=True)
class _Tries:
    """How an append has gone so far."""

    give_up: float
    failed: int = 0
    undecided: dict[tuple[str, ...], _Undecided] = field(default_factory=dict)
    """By their guards: one after another under the same guards is the same attempt once more."""

    def doubt(self, attempt: AppendAttempt, unclear: str) -> None:
        """Note that an attempt is undecided."""
        guards = tuple(
            f"{message.headers[EXPECTED]}/{message.headers.get(EXPECTED_HEAD)}"
            for message in attempt.messages
        )
        known = self.undecided.setdefault(guards, _Undecided(attempt, unclear))
        known.unclear = unclear or known.unclear

    def outcome(self, error: LogUnavailable) -> LogUnavailable:
        """Return what to answer in the end where `error` came last."""
        if not self.undecided:
            return error
        why = [one.unclear for one in self.undecided.values() if one.unclear]
        return AppendUnresolved(
            f"NATS gave no clear answer for {PATIENCE:g} seconds: whether this was recorded is not known "
            f"({why[-1] if why else error})"
        )


class Appender:
    """Appends commands to the log of one publication."""

    def __init__(
        self,
        connection: Connection,
        leader: LeaderRequests,
        names: SubjectNames,
        withdrawals: WithdrawalIndex,
        states: StreamHeads,
        bell: HeadBroadcast,
        *,
        may_be_deposed: bool,
    ) -> None:
        """`may_be_deposed`: whether a server may answer as the leader that is none any more."""
        self._bell = bell
        self._connection = connection
        self._leader = leader
        self._may_be_deposed = may_be_deposed
        self._fates = AppendResolution(leader, names, withdrawals)
        self._preparer = AppendMessages(leader, names, states)
        self._publisher = Publisher(connection)
        self._turns = StreamLocks()
        self.resolved = 0
        """After how many appends without a clear answer it was found out whether they are recorded."""

    async def append(self, writes: Sequence[StreamWrite], withdraws: Header | None = None) -> int:
        """Record `writes`, which are checked, and return the position of the last event.

        `withdraws` is the header of the event that is withdrawn by them. Raises what `EventLog.append` raises.
        """
        _check(writes)
        turn = self._turns.take([write.stream for write in writes])
        try:
            if turn.must_wait:
                await turn.come()
            return await self._record(writes, withdraws)
        except BaseException:
            self._preparer.forget(writes)
            raise
        finally:
            turn.end()

    async def _record(self, writes: Sequence[StreamWrite], withdraws: Header | None) -> int:
        tries = _Tries(monotonic() + PATIENCE)
        while True:
            answer: Answer = Busy("there is no leader")
            try:
                attempt, answer = await self._send(writes, withdraws, tries)
                if isinstance(answer, Recorded):
                    self._preparer.note(writes, attempt, answer.position)
                    return answer.position
                if isinstance(answer, Duplicate) and not tries.undecided:
                    await self._preparer.prepare(writes, withdraws, careful=True)
                    raise DuplicateEvent(event_id=await self._twin(attempt))
                if isinstance(answer, Unclear) or (self._may_be_deposed and isinstance(answer, Conflict)):
                    tries.doubt(attempt, answer.why if isinstance(answer, Unclear) else "")
                if landed := await self._landed(tries):
                    return landed
            except WrongExpectedVersion:
                # It may be our own attempt that has moved the stream.
                with suppress(LogUnavailable):
                    if landed := await self._landed(tries):
                        return landed
                if not tries.undecided:
                    raise
            except LogUnavailable as error:
                # Nothing was sent: that is an answer. Otherwise a leader is worth the wait, as long as one may be elected.
                if not tries.undecided or monotonic() > tries.give_up:
                    raise tries.outcome(error) from error
            if monotonic() > tries.give_up:
                raise tries.outcome(_unavailable(answer))
            await self._pause(tries, hurry=guards_another(writes) and isinstance(answer, Conflict))

    async def _send(
        self, writes: Sequence[StreamWrite], withdraws: Header | None, tries: _Tries
    ) -> tuple[AppendAttempt, Answer]:
        if not guards_another(writes):
            if self._bell.is_quiet:
                await self._bell.noise()
        elif tries.failed >= ALONE_AFTER:
            async with self._alone():
                return await self._send_now(writes, withdraws, tries)
        return await self._send_now(writes, withdraws, tries)

    async def _send_now(
        self, writes: Sequence[StreamWrite], withdraws: Header | None, tries: _Tries
    ) -> tuple[AppendAttempt, Answer]:
        async with self._publisher.room(sum([len(write.events) for write in writes])):
            attempt = await self._preparer.prepare(writes, withdraws, careful=tries.failed > 0)
            return attempt, await self._publisher.publish(attempt.messages)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Ask all for quiet, and wait until what was under way is recorded."""
        async with self._bell.quiet():
            give_up, head = monotonic() + QUIET / 2, -1
            while (now := await self._leader.head()) != head and monotonic() < give_up:
                head = now
                await asyncio.sleep(SETTLES)
            yield

    async def _landed(self, tries: _Tries) -> int | None:
        """Return where an undecided attempt landed, if one did; those that can never be recorded are undecided no more."""
        for guards, one in list(tries.undecided.items()):
            found = await self._fates.of(one.attempt)
            if found is not None:
                self.resolved += bool(one.unclear)
                if found:
                    return found
                del tries.undecided[guards]
        return None

    async def _twin(self, attempt: AppendAttempt) -> str:
        """Return which of the attempt's ids is recorded already."""
        ids = [message.headers[MESSAGE_ID] for message in attempt.messages]
        for message_id in ids[:-1]:
            if await self._publisher.is_known(attempt.messages[0].subject, message_id):
                return message_id
        return ids[-1]

    async def _pause(self, tries: _Tries, *, hurry: bool) -> None:
        await self._connection.connected(PAUSES[-1])
        await asyncio.sleep(0 if hurry else PAUSES[min(tries.failed, len(PAUSES) - 1)])
        tries.failed += 1


def _check(writes: Sequence[StreamWrite]) -> None:
    ids = [event.event_id for write in writes for event in write.events]
    if len(ids) > MAX_BATCH:
        raise InvalidEnvelope(
            f"JetStream records at most {MAX_BATCH:,} events in one append, not {len(ids):,}"
        )
    if len(ids) > 1 and len(set(ids)) < len(ids):
        raise DuplicateEvent(event_id=next(one for number, one in enumerate(ids) if one in ids[:number]))


def _unavailable(answer: Answer) -> LogUnavailable:
    why = answer.why if isinstance(answer, Busy) else "others wrote to the same streams all the time"
    return LogUnavailable(f"NATS did not take this for {PATIENCE:g} seconds, and nothing was recorded: {why}")
