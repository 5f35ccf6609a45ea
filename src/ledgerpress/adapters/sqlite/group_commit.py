"""Group commit: all appends that wait are recorded in one transaction, so that they share one sync."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

from ledgerpress.adapters.sqlite.connection import SerialConnection
from ledgerpress.adapters.sqlite.log_recording import Command, Outcome, record
from ledgerpress.eventlog.errors import EventLogError

MAX_COMMANDS: Final = 1_000
MAX_BYTES: Final = 8 * 1024 * 1024
"""A group takes no further command beyond this many bytes of payload; it always takes one."""


class _Waiting(NamedTuple):
    command: Command
    answer: asyncio.Future[int]


class GroupCommit:
    """The one writer of a log in this process. Commands are recorded in the order in which they came."""

    def __init__(self, connection: SerialConnection, committed: Callable[[int], None]) -> None:
        """Write through `connection`; after each commit call `committed` with the greatest position in it."""
        self._connection = connection
        self._committed = committed
        self._waiting: deque[_Waiting] = deque()
        self._idle = asyncio.Event()
        self._idle.set()

    def record(self, command: Command) -> asyncio.Future[int]:
        """Return the future position of the command's last event, which is there once the command is durable.

        It fails with `WrongExpectedVersion`, `DuplicateEvent`, or `EventLogError` where the whole group failed.
        One that is cancelled leaves open whether the command is recorded.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[int] = loop.create_future()
        self._waiting.append(_Waiting(command, answer))
        if self._idle.is_set():
            self._idle.clear()
            # Not at once, so that all who are about to append in this turn of the loop are in the group.
            loop.call_soon(self._write)
        return answer

    async def finish(self) -> None:
        """Wait until all that was accepted has been answered."""
        await self._idle.wait()

    def _write(self) -> None:
        group = self._next_group()
        if not group:
            self._idle.set()
            return
        commands = [waiting.command for waiting in group]
        recorded = self._connection.submit(partial(record, commands=commands))
        recorded.add_done_callback(partial(self._answer, group))

    def _next_group(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        size = 0
        while self._waiting and len(group) < MAX_COMMANDS:
            size += self._waiting[0].command.size
            if group and size > MAX_BYTES:
                break
            group.append(self._waiting.popleft())
        return group

    def _answer(self, group: Sequence[_Waiting], recorded: "asyncio.Future[list[Outcome]]") -> None:
        error = recorded.exception()
        if error is not None:
            for waiting in group:
                failure = EventLogError(f"nothing was recorded: {error}")
                failure.__cause__ = error
                _settle(waiting.answer, failure)
        else:
            outcomes = recorded.result()
            self._committed(max((one for one in outcomes if isinstance(one, int)), default=0))
            for waiting, outcome in zip(group, outcomes, strict=True):
                _settle(waiting.answer, outcome)
        self._write()


def _settle(answer: asyncio.Future[int], outcome: Outcome | EventLogError) -> None:
    if answer.done():
        return
    if isinstance(outcome, int):
        answer.set_result(outcome)
    else:
        answer.set_exception(outcome)
