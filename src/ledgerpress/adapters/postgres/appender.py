"""Records groups of commands exactly once, even if the server fails before it confirms a commit."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ledgerpress.adapters.postgres import append_transaction, payload_erasure
from ledgerpress.adapters.postgres import connection as connections
from ledgerpress.adapters.postgres.append_transaction import CachedPlans
from ledgerpress.adapters.postgres.connection import Connection
from ledgerpress.adapters.postgres.errors import log_errors
from ledgerpress.adapters.postgres.log_registry import LogLocation
from ledgerpress.adapters.postgres.reconnecting_connections import ReconnectingConnection
from ledgerpress.eventlog.envelope import Row
from ledgerpress.eventlog.errors import AppendUnresolved, EventLogError, LogAccessDenied, LogUnavailable
from ledgerpress.eventlog.group_commit import AppendRequest, AppendResult, ReportResults


class _CommitAttempt(NamedTuple):
    """A transaction whose COMMIT was sent: its rows after `head`, and the results if it was committed."""

    head: int
    rows: Sequence[Row]
    results: Sequence[AppendResult]


class Appender:
    """A recorder of groups of commands, one group after the other, on its own connection."""

    def __init__(
        self, connection: ReconnectingConnection, location: LogLocation, clock: Callable[[], float]
    ) -> None:
        """`clock` returns seconds since 1970; the result is compared with the clock of the server."""
        self._connection = connection
        self._log = location.log
        self._clock = clock
        self._lock = asyncio.Lock()
        self._plans = CachedPlans()
        self._unreachable = False
        self._task: asyncio.Task[None] | None = None
        self.resolved = 0
        """The number of commits without an answer for which it was later determined whether they had succeeded."""

    @property
    def reconnects(self) -> int:
        return self._connection.reconnects

    def begin(self, commands: Sequence[AppendRequest], report: ReportResults) -> None:
        """Begin to record `commands`, and return immediately; `report` is called in the event loop."""
        self._task = asyncio.get_running_loop().create_task(self._record_and_report(commands, report))

    async def _record_and_report(self, commands: Sequence[AppendRequest], report: ReportResults) -> None:
        results: Sequence[AppendResult]
        try:
            results = await self.record(commands)
        except EventLogError as error:
            results = [_copy(error) for _ in commands]
        except BaseException as error:
            # Every caller needs a result, whatever the error is.
            report([_unresolved(error) for _ in commands])
            raise
        report(results)

    async def record(
        self, commands: Sequence[AppendRequest], *, erase: int | None = None
    ) -> Sequence[AppendResult]:
        """Record `commands` in one durable transaction, and return the result of each, in order.

        With `erase`, the payload at that position is erased in the same transaction, and a rejected command rolls back
        the transaction. After a commit without an answer, its rows are looked up before anything is written again.
        Raises `LogUnavailable` if nothing was recorded, and `AppendUnresolved` if it could not be determined whether
        anything was recorded. Other errors are `LogUnusable` and `EventLogError`.
        """
        async with self._lock:
            append = _GroupAppend(self._connection, self._plans, self._log, commands, erase, self._clock)
            # If the server was unreachable for the previous group, try only once.
            deadline = write_deadline = time.monotonic() + (
                0 if self._unreachable else connections.RETRY_TIMEOUT
            )
            commits = 0
            for delay in connections.BACKOFF.delays():
                try:
                    results = await append.attempt(write_deadline)
                except LogUnavailable as error:
                    now = time.monotonic()
                    is_late = now + delay > deadline
                    if append.commits > commits:
                        # After the wait for the commit, the server may answer again: look up the rows at least once.
                        is_late, deadline = False, now + connections.RETRY_TIMEOUT
                        write_deadline = write_deadline if commits else deadline
                        commits = append.commits
                    if is_late or isinstance(error, append_transaction.ClocksDiffer | LogAccessDenied):
                        self._unreachable = is_late
                        raise append.final_error(error) from error
                except EventLogError as error:
                    raise append.final_error(error) from error
                else:
                    self._unreachable = False
                    return results
                finally:
                    self.resolved += append.resolved
                    append.resolved = 0
                await asyncio.sleep(delay)
            raise AssertionError("the delays never end")

    async def probe(self) -> None:
        """Do what an append does, and roll it back. Raises the errors of an append.

        Does not wait if an earlier write has not ended yet.
        """
        if self._lock.locked():
            raise LogUnavailable(f"{self._connection.server.shown}: an earlier write has not ended yet")
        async with self._lock:
            connection = await self._connection.get()
            try:
                with log_errors(self._connection.server.shown):
                    await append_transaction.probe(connection, self._plans, self._log, self._clock)
            except BaseException:
                self._connection.drop()
                raise

    async def close(self) -> None:
        """Wait until nothing is being recorded, and close the connection."""
        async with self._lock:
            await self._connection.close()


@dataclass(slots=True)
class _GroupAppend:
    _connection: ReconnectingConnection
    _plans: CachedPlans
    _log: int
    _commands: Sequence[AppendRequest]
    _erase: int | None
    _clock: Callable[[], float]
    _unconfirmed: _CommitAttempt | None = None
    resolved: int = 0
    commits: int = 0
    """The number of COMMITs that were sent."""

    def final_error(self, error: EventLogError) -> EventLogError:
        """Return the error to raise after the last attempt."""
        return error if self._unconfirmed is None else _unresolved(error)

    async def attempt(self, write_deadline: float) -> Sequence[AppendResult]:
        """Record the commands, or determine that an earlier attempt recorded them. Raises `EventLogError`.

        If an earlier attempt did not record them, they are not written again after `write_deadline`.
        """
        connection = await self._connection.get()
        try:
            with log_errors(self._connection.server.shown):
                results = await self._transact(connection, write_deadline)
                if connection.is_in_transaction():
                    await connection.execute("ROLLBACK")
                return results
        except BaseException:
            # When the connection is dropped, the server rolls the transaction back.
            self._connection.drop()
            raise

    async def _transact(self, connection: Connection, write_deadline: float) -> Sequence[AppendResult]:
        # Wait for a transaction of an earlier attempt: it locks the head until it is committed or rolled back, even if
        # its client is gone.
        await append_transaction.begin(connection, self._log)
        if (previous := self._unconfirmed) is not None:
            was_recorded = await append_transaction.was_recorded(
                connection, self._log, previous.head, previous.rows
            )
            self.resolved += 1
            if was_recorded:
                # The server may have crashed before its standby had the rows. Only a commit waits for the standby.
                await append_transaction.commit(connection)
                return previous.results
            self._unconfirmed = None
            if time.monotonic() > write_deadline:
                raise LogUnavailable("the server did not commit: nothing was recorded")
        group = await append_transaction.load_group(connection, self._log, self._commands, self._clock)
        results = [group.admit(command) for command in self._commands]
        if self._erase is not None and (
            errors := [result for result in results if not isinstance(result, int)]
        ):
            return errors
        if group.rows:
            await append_transaction.write(connection, self._plans, self._log, group.before, group.rows)
        if self._erase is not None:
            await payload_erasure.erase(connection, self._log, self._erase)
        if group.rows:
            self._unconfirmed = _CommitAttempt(group.before, group.rows, results)
            self.commits += 1
        if group.rows or self._erase is not None:
            await append_transaction.commit(connection)
            self._unconfirmed = None
        return results


def _unresolved(error: BaseException) -> AppendUnresolved:
    return AppendUnresolved(f"it is unknown whether the events were recorded: {error}")


def _copy(error: EventLogError) -> EventLogError:
    """Return a copy of `error`: each caller must raise its own exception object."""
    copy = type(error)(str(error))
    copy.__cause__ = error
    return copy
