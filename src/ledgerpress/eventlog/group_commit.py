"""Group commit: all appends that wait are recorded in one transaction, so that they share one sync."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from ledgerpress.eventlog.append_request import AppendRequest, AppendResult

MAX_COMMANDS: Final = 1_000
MAX_BYTES: Final = 8 * 1024 * 1024
"""A group takes no further command beyond this many bytes of payload; it always takes one."""


class Recorder(Protocol):
    """Records groups of commands, one group at a time."""

    def begin(
        self, commands: Sequence[AppendRequest], answer: Callable[[Sequence[AppendResult]], None]
    ) -> None:
        """Begin to record `commands` in one transaction, and return at once.

        `answer` is called in the event loop with what became of each of them, in order, whatever happens.
        """
        ...


class _Waiting(NamedTuple):
    command: AppendRequest
    answer: asyncio.Future[int]


class GroupCommit:
    """The one writer of a log in this process. Commands are recorded in the order in which they came."""

    def __init__(self, recorder: Recorder, committed: Callable[[int], None]) -> None:
        """Record through `recorder`; after each group call `committed` with the greatest position in it, or 0."""
        self._recorder = recorder
        self._committed = committed
        self._waiting: deque[_Waiting] = deque()
        self._group: Sequence[_Waiting] = ()
        self._loop = asyncio.get_running_loop()
        self._writing = False
        self._finished: asyncio.Future[None] | None = None

    def record(self, command: AppendRequest) -> asyncio.Future[int]:
        """Return the future position of the command's last event, which is there once the command is durable.

        It fails with `WrongExpectedVersion`, `DuplicateEvent`, or `EventLogError` where the whole group failed.
        One that is cancelled leaves open whether the command is recorded.
        """
        answer: asyncio.Future[int] = self._loop.create_future()
        self._waiting.append(_Waiting(command, answer))
        if not self._writing:
            self._writing = True
            # Not at once, so that all who are about to append in this turn of the loop are in the group.
            self._loop.call_soon(self._write)
        return answer

    async def finish(self) -> None:
        """Wait until all that was accepted has been answered."""
        if self._writing:
            self._finished = self._finished or self._loop.create_future()
            await asyncio.shield(self._finished)

    def _write(self) -> None:
        self._group = self._next_group()
        if self._group:
            self._recorder.begin([waiting.command for waiting in self._group], self._answer)
        else:
            self._writing = False
            if self._finished is not None:
                self._finished.set_result(None)
                self._finished = None

    def _next_group(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        size = 0
        while self._waiting and len(group) < MAX_COMMANDS:
            size += self._waiting[0].command.size
            if group and size > MAX_BYTES:
                break
            group.append(self._waiting.popleft())
        return group

    def _answer(self, outcomes: Sequence[AppendResult]) -> None:
        head = 0
        for (_, answer), outcome in zip(self._group, outcomes, strict=True):
            if isinstance(outcome, int):
                head = outcome
                if not answer.done():
                    answer.set_result(outcome)
            elif not answer.done():
                answer.set_exception(outcome)
        self._committed(head)
        self._write()
