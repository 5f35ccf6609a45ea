"""Group commit: all appends that wait are recorded in one transaction, so that they share one sync."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from ledgerpress.adapters.sqlite.connection import SerialConnection
from ledgerpress.adapters.sqlite.log_recording import Command, Outcome, recording
from ledgerpress.eventlog.errors import EventLogError

MAX_COMMANDS: Final = 1_000
MAX_BYTES: Final = 8 * 1024 * 1024
"""A group takes no further command beyond this many bytes of payload; it always takes one."""


class _Waiting(NamedTuple):
    command: Command
    answer: asyncio.Future[int]


class _Group(NamedTuple):
    """The commands of one transaction, and what became of each, or of all."""

    members: list[_Waiting]
    outcomes: list[Outcome]
    failure: Exception | None = None


class GroupCommit:
    """The one writer of a log in this process. Commands are recorded in the order in which they came."""

    def __init__(self, connection: SerialConnection, committed: Callable[[int], None]) -> None:
        """Write through `connection`; after each commit call `committed` with the greatest position in it."""
        self._connection = connection
        self._committed = committed
        self._waiting: deque[_Waiting] = deque()
        self._writing: asyncio.Future[_Group] | None = None

    def record(self, command: Command) -> asyncio.Future[int]:
        """Return the future position of the command's last event, which is there once the command is durable.

        It fails with `WrongExpectedVersion`, `DuplicateEvent`, or `EventLogError` where the whole group failed.
        """
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(command, answer))
        if self._writing is None:
            self._write()
        return answer

    async def finish(self) -> None:
        """Wait until all that was accepted has been answered."""
        while self._writing is not None:
            await asyncio.wait([self._writing])

    def _write(self) -> None:
        self._writing = self._connection.submit(self._record_waiting)
        self._writing.add_done_callback(self._answer)

    def _record_waiting(self, db: sqlite3.Connection) -> _Group:
        """Record, on the connection's thread, whatever waits by the time that the lock is there."""
        members: list[_Waiting] = []
        outcomes: list[Outcome] = []
        try:
            with recording(db) as transaction:
                for waiting in self._next_group():
                    members.append(waiting)
                    outcomes.append(transaction.admit(waiting.command))
        except Exception as error:  # noqa: BLE001  # whatever it is, nobody may be left waiting
            return _Group(members or list(self._next_group()), [], error)
        return _Group(members, outcomes)

    def _next_group(self) -> Iterator[_Waiting]:
        size = 0
        for number in range(min(len(self._waiting), MAX_COMMANDS)):
            size += self._waiting[0].command.size
            if number and size > MAX_BYTES:
                break
            yield self._waiting.popleft()

    def _answer(self, done: asyncio.Future[_Group]) -> None:
        self._writing = None
        group = done.result()
        if self._waiting:
            self._write()
        self._committed(max((one for one in group.outcomes if isinstance(one, int)), default=0))
        for waiting, outcome in zip(group.members, group.outcomes):
            if waiting.answer.done():
                continue
            if isinstance(outcome, int):
                waiting.answer.set_result(outcome)
            else:
                waiting.answer.set_exception(outcome)
        if group.failure is not None:
            for waiting in group.members:
                if not waiting.answer.done():
                    error = EventLogError(f"nothing was recorded: {group.failure}")
                    error.__cause__ = group.failure
                    waiting.answer.set_exception(error)
