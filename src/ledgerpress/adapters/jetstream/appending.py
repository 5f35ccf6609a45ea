"""Appends commands: finds the guards, sends, and finds out what came of it where the answer does not say.

The guard of a write is the sequence of the last message on its subject. An attempt without a clear answer is sent again
under the same guards and ids, and the leader is asked for the first message after the guard: it is ours, or somebody
else's, after which ours can never be recorded. That there is none proves nothing, since ours may be on its way.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final, NamedTuple

from ledgerpress.adapters.jetstream.address import Names
from ledgerpress.adapters.jetstream.connection import Connection
from ledgerpress.adapters.jetstream.leader import Leader
from ledgerpress.adapters.jetstream.message import body_of, read_body
from ledgerpress.adapters.jetstream.publishing import (
    EXPECTED,
    EXPECTED_HEAD,
    MAX_BATCH,
    MESSAGE_ID,
    Answer,
    Busy,
    Duplicate,
    Message,
    Publisher,
    Recorded,
    Unclear,
)
from ledgerpress.adapters.jetstream.stream_states import StreamState, StreamStates
from ledgerpress.adapters.jetstream.turns import Turns
from ledgerpress.adapters.jetstream.withdrawals import Withdrawals
from ledgerpress.eventlog.envelope import Header
from ledgerpress.eventlog.errors import (
    AppendUnresolved,
    DuplicateEvent,
    InvalidEnvelope,
    LogUnavailable,
    WrongExpectedVersion,
)
from ledgerpress.eventlog.log import ANY_VERSION, NO_STREAM, StreamWrite

PATIENCE: Final = 10.0
"""Seconds for which an append is tried again."""
PAUSES: Final = (0.0, 0.01, 0.03, 0.1, 0.2)
"""Seconds before the next attempt; the last one for all that follow."""


class _Attempt(NamedTuple):
    """What is sent: where each stream was, and the messages."""

    states: Sequence[StreamState]
    messages: Sequence[Message]
    as_of: float


@dataclass(slots=True)
class _Tries:
    """How an append has gone so far."""

    give_up: float
    failed: int = 0
    unresolved: _Attempt | None = None
    """The attempt of which it is not known whether it was, or will be, recorded."""


class Appender:
    """Appends commands to the log of one publication."""

    def __init__(
        self,
        connection: Connection,
        leader: Leader,
        names: Names,
        withdrawals: Withdrawals,
        states: StreamStates,
    ) -> None:
        self._connection = connection
        self._leader = leader
        self._names = names
        self._withdrawals = withdrawals
        self._states = states
        self._publisher = Publisher(connection)
        self._turns = Turns()
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
            for write in writes:
                self._states.forget(write.stream)
            raise
        finally:
            turn.end()

    async def _record(self, writes: Sequence[StreamWrite], withdraws: Header | None) -> int:
        events = sum([len(write.events) for write in writes])
        tries = _Tries(monotonic() + PATIENCE)
        while True:
            try:
                async with self._publisher.room(events):
                    attempt = await self._prepare(writes, withdraws, careful=tries.failed > 0)
                    answer = await self._publisher.publish(attempt.messages)
                if isinstance(answer, Recorded):
                    self._note(writes, attempt, answer.position)
                    return answer.position
                if landed := await self._after(attempt, answer, tries):
                    return landed
                if isinstance(answer, Duplicate) and tries.unresolved is None:
                    await self._prepare(writes, withdraws, careful=True)
                    raise DuplicateEvent(event_id=await self._twin(attempt))
            except WrongExpectedVersion:
                # It may be our own attempt that has moved the stream.
                if tries.unresolved is not None:
                    self.resolved += 1
                    if landed := await self._landed(tries.unresolved):
                        return landed
                raise
            except LogUnavailable as error:
                if tries.unresolved is not None:
                    raise _unresolved() from error
                raise
            if monotonic() > tries.give_up:
                raise _unresolved() if tries.unresolved is not None else _unavailable(answer)
            await self._pause(tries)

    async def _after(self, attempt: _Attempt, answer: Answer, tries: _Tries) -> int | None:
        """Find out what became of an attempt that was not clear; return the position where it landed."""
        if isinstance(answer, Unclear):
            tries.unresolved = attempt
        if tries.unresolved is None:
            return None
        landed = await self._landed(tries.unresolved)
        self.resolved += landed is not None
        if landed == 0:
            tries.unresolved = None
        return landed

    async def _prepare(
        self, writes: Sequence[StreamWrite], withdraws: Header | None, *, careful: bool
    ) -> _Attempt:
        """Find where the streams are, and make the messages. Raises `WrongExpectedVersion` and `LogUnavailable`."""
        head = None
        if any(not write.events for write in writes):
            # A message has room for one guard of a subject. Those of streams that are not written to hold as long as
            # nothing at all is recorded after they were looked at.
            careful = True
            head = await self._leader.head()
        if not self._withdrawals.is_fresh():
            await self._withdrawals.refresh()
        states = [None if careful else self._known(write) for write in writes]
        if None in states and not careful:
            await self._states.confirm([write.stream for write in writes])
            states = [self._known(write) for write in writes]
        if None in states:
            found = await asyncio.gather(
                *(
                    self._states.look_up(write.stream)
                    for write, state in zip(writes, states, strict=True)
                    if state is None
                )
            )
            looked_up = iter(found)
            states = [state if state is not None else next(looked_up) for state in states]
        placed = [state for state in states if state is not None]
        for write, state in zip(writes, placed, strict=True):
            if write.expected not in (ANY_VERSION, state.version):
                raise WrongExpectedVersion(stream=write.stream, expected=write.expected, actual=state.version)
        return _Attempt(placed, self._messages(writes, placed, withdraws, head), monotonic())

    def _known(self, write: StreamWrite) -> StreamState | None:
        state = self._states.remembered(write.stream)
        if state is None and write.expected == NO_STREAM:
            state = self._states.untouched(write.stream)
        return state if state is not None and write.expected in (ANY_VERSION, state.version) else None

    def _messages(
        self,
        writes: Sequence[StreamWrite],
        states: Sequence[StreamState],
        withdraws: Header | None,
        head: int | None,
    ) -> list[Message]:
        messages: list[Message] = []
        more = sum([len(write.events) for write in writes])
        for write, state in zip(writes, states, strict=True):
            subject = self._names.subject(write.stream)
            version = state.version
            for event in write.events:
                version += 1
                more -= 1
                headers = {MESSAGE_ID: event.event_id}
                if version == state.version + 1:
                    headers[EXPECTED] = str(state.guard)
                if head is not None and not messages:
                    headers[EXPECTED_HEAD] = str(head)
                of = withdraws if withdraws is not None and withdraws.event_id in write.stream else None
                messages.append(Message(subject, headers, body_of(event, version, more, of)))
        return messages

    def _note(self, writes: Sequence[StreamWrite], attempt: _Attempt, position: int) -> None:
        position -= len(attempt.messages)
        for write, state in zip(writes, attempt.states, strict=True):
            if count := len(write.events):
                first, position = position + 1, position + count
                now = StreamState(state.version + count, position, attempt.as_of)
                self._states.written(write.stream, now, first)

    async def _landed(self, attempt: _Attempt) -> int | None:
        """Return the position of the attempt's last message, 0 where it can never be recorded; `None`: not known."""
        first = attempt.messages[0]
        found = await self._leader.next_of(first.subject, int(first.headers[EXPECTED]))
        if found is None:
            return None
        if read_body(found.sequence, found.data).event_id != first.headers[MESSAGE_ID]:
            return 0
        return found.sequence + len(attempt.messages) - 1

    async def _twin(self, attempt: _Attempt) -> str:
        """Return which of the attempt's ids is recorded already."""
        ids = [message.headers[MESSAGE_ID] for message in attempt.messages]
        for message_id in ids[:-1]:
            if await self._publisher.is_known(attempt.messages[0].subject, message_id):
                return message_id
        return ids[-1]

    async def _pause(self, tries: _Tries) -> None:
        await self._connection.connected(PAUSES[-1])
        await asyncio.sleep(PAUSES[min(tries.failed, len(PAUSES) - 1)])
        tries.failed += 1


def _check(writes: Sequence[StreamWrite]) -> None:
    ids = [event.event_id for write in writes for event in write.events]
    if len(ids) > MAX_BATCH:
        raise InvalidEnvelope(
            f"JetStream records at most {MAX_BATCH:,} events in one append, not {len(ids):,}"
        )
    if len(ids) > 1 and len(set(ids)) < len(ids):
        raise DuplicateEvent(event_id=next(one for number, one in enumerate(ids) if one in ids[:number]))


def _unresolved() -> AppendUnresolved:
    return AppendUnresolved(
        f"NATS gave no clear answer for {PATIENCE:g} seconds: whether this was recorded is not known"
    )


def _unavailable(answer: Answer) -> LogUnavailable:
    why = answer.why if isinstance(answer, Busy) else "others wrote to the same streams all the time"
    return LogUnavailable(f"NATS did not take this for {PATIENCE:g} seconds, and nothing was recorded: {why}")
