"""Makes the messages of an append, each with its guard: which message must be the last on its stream's subjects."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from ledgerpress.adapters.jetstream.leader_requests import LeaderRequests
from ledgerpress.adapters.jetstream.message_codec import body_of
from ledgerpress.adapters.jetstream.publisher import EXPECTED, EXPECTED_HEAD, EXPECTED_ON, MESSAGE_ID, Message
from ledgerpress.adapters.jetstream.stream_heads import UNTOUCHED, StreamHead, StreamHeads
from ledgerpress.adapters.jetstream.url import SubjectNames
from ledgerpress.eventlog.envelope import Header
from ledgerpress.eventlog.errors import WrongExpectedVersion
from ledgerpress.eventlog.log import ANY_VERSION, NO_STREAM, StreamWrite


class AppendAttempt(NamedTuple):
    """What is sent: where each stream was, and the messages."""

    states: Sequence[StreamHead]
    messages: Sequence[Message]


class AppendMessages:
    """Prepares the appends to one publication's log."""

    def __init__(self, leader: LeaderRequests, names: SubjectNames, states: StreamHeads) -> None:
        self._leader = leader
        self._names = names
        self._states = states

    async def prepare(
        self, writes: Sequence[StreamWrite], withdraws: Header | None, *, careful: bool
    ) -> AppendAttempt:
        """Find where the streams are, and make the messages; if `careful`, go by what the leader says alone.

        Raises `WrongExpectedVersion` and `LogUnavailable`.
        """
        head = None
        if guards_another(writes):
            # A message has room for one guard of a subject. Those of streams that are not written to hold as long as
            # nothing at all is recorded after they were looked at.
            careful = True
            fences = [write for write in writes if not write.events]
            seen = [await self._states.version_and_head(write.stream) for write in fences]
            for write, (version, _) in zip(fences, seen, strict=True):
                _check(write, version)
            head = min(position for _, position in seen)
        states = [self._at_hand(write, careful=careful) for write in writes]
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
            _check(write, state.version)
        return AppendAttempt(placed, self._messages(writes, placed, withdraws, head))

    def _at_hand(self, write: StreamWrite, *, careful: bool) -> StreamHead | None:
        if not write.events:
            return StreamHead(write.expected, 0)
        if careful:
            return None
        state = self._states.remembered(write.stream)
        if state is None and write.expected == NO_STREAM:
            state = UNTOUCHED
        return state if state is not None and write.expected in (ANY_VERSION, state.version) else None

    def _messages(
        self,
        writes: Sequence[StreamWrite],
        states: Sequence[StreamHead],
        withdraws: Header | None,
        head: int | None,
    ) -> list[Message]:
        messages: list[Message] = []
        more = sum([len(write.events) for write in writes])
        for write, state in zip(writes, states, strict=True):
            of = withdraws if withdraws is not None and withdraws.event_id in write.stream else None
            subject = self._names.subject(write.stream, "" if of is None else of.stream)
            # A cluster looks at what is under way by the text of the guard: so all messages have it, not the first alone.
            guard = {EXPECTED: str(state.guard), EXPECTED_ON: self._names.guarded(write.stream)}
            version = state.version
            for event in write.events:
                version += 1
                more -= 1
                headers = {MESSAGE_ID: event.event_id, **guard}
                if head is not None and not messages:
                    headers[EXPECTED_HEAD] = str(head)
                messages.append(Message(subject, headers, body_of(event, version, more, of)))
        return messages

    def note(self, writes: Sequence[StreamWrite], attempt: AppendAttempt, position: int) -> None:
        """Remember that an attempt was recorded, its last message at `position`."""
        position -= len(attempt.messages)
        for write, state in zip(writes, attempt.states, strict=True):
            if count := len(write.events):
                position += count
                self._states.note(write.stream, StreamHead(state.version + count, position))

    def forget(self, writes: Sequence[StreamWrite]) -> None:
        """Remember nothing of the streams of an append that failed."""
        for write in writes:
            self._states.forget(write.stream)


def _check(write: StreamWrite, version: int) -> None:
    if write.expected not in (ANY_VERSION, version):
        raise WrongExpectedVersion(stream=write.stream, expected=write.expected, actual=version)


def guards_another(writes: Sequence[StreamWrite]) -> bool:
    """Whether a stream is guarded that is not written to: then nothing at all may be recorded in between."""
    return any(not write.events for write in writes)
