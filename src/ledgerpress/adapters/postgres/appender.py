"""Appends, to their end: recorded once, also where the server went away before it answered."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ledgerpress.adapters.postgres import append_transaction, payload_erasure, retry
from ledgerpress.adapters.postgres.connection import Connection
from ledgerpress.adapters.postgres.errors import failure
from ledgerpress.adapters.postgres.event_rows import Row
from ledgerpress.adapters.postgres.log_registry import LogLocation
from ledgerpress.adapters.postgres.reconnecting_connection import ReconnectingConnection
from ledgerpress.adapters.postgres.retry import retry_delays
from ledgerpress.eventlog.append_request import AppendRequest, AppendResult
from ledgerpress.eventlog.errors import AppendUnresolved, EventLogError, LogRefuses, LogUnavailable


class _Attempt(NamedTuple):
    """A transaction that was told to commit: the rows after `head`, and what to answer if it has."""

    head: int
    rows: Sequence[Row]
    outcomes: Sequence[AppendResult]


class Appender:
    """Records groups of commands on a connection of its own, one group after the other."""

    def __init__(self, link: ReconnectingConnection, place: LogLocation, clock: Callable[[], float]) -> None:
        """Take the clock of this machine, in seconds since 1970: it is compared with the server's."""
        self._link = link
        self._log = place.log
        self._clock = clock
        self._turn = asyncio.Lock()
        self._away = False
        self._task: asyncio.Task[None] | None = None
        self.resolved = 0
        """After how many attempts without an answer it was found out whether they had recorded anything."""

    @property
    def reconnects(self) -> int:
        """How often the connection was made anew."""
        return self._link.reconnects

    def begin(
        self, commands: Sequence[AppendRequest], answer: Callable[[Sequence[AppendResult]], None]
    ) -> None:
        """Begin to record `commands`, and return at once; `answer` is called in the event loop."""
        self._task = asyncio.get_running_loop().create_task(self._answer(commands, answer))

    async def _answer(
        self, commands: Sequence[AppendRequest], answer: Callable[[Sequence[AppendResult]], None]
    ) -> None:
        outcomes: Sequence[AppendResult]
        try:
            outcomes = await self.record(commands)
        except EventLogError as error:
            outcomes = [_copy(error) for _ in commands]
        except BaseException as error:
            # Whatever it is, nobody may be left waiting.
            answer([_unresolved(error) for _ in commands])
            raise
        answer(outcomes)

    async def record(
        self, commands: Sequence[AppendRequest], *, erase: int | None = None
    ) -> Sequence[AppendResult]:
        """Record `commands` in one durable transaction, and return what became of each, in order.

        With `erase`, the payload at that position is erased in the same transaction, and the first refusal undoes all.
        A transaction whose end is not known is looked for before anything is written again. Raises `LogUnavailable`
        where nothing was recorded, `AppendUnresolved` where that could not be found out, `LogUnusable`, and
        `EventLogError`.
        """
        async with self._turn:
            recording_ = _Recording(self._link, self._log, commands, erase, self._clock)
            # Who has just found the server away does not let the next in the queue wait as long again.
            give_up = write_until = time.monotonic() + (0 if self._away else retry.RETRY_TIMEOUT)
            commits = 0
            for pause in retry_delays():
                try:
                    outcomes = await recording_.attempt(write_until)
                except LogUnavailable as error:
                    now = time.monotonic()
                    late = now + pause > give_up
                    if recording_.commits > commits:
                        # How long the answer was waited for says nothing about the server as it is now: look, at least once.
                        late, give_up = False, now + retry.RETRY_TIMEOUT
                        write_until = write_until if commits else give_up
                        commits = recording_.commits
                    if late or isinstance(error, append_transaction.ClocksDiffer | LogRefuses):
                        self._away = late
                        raise recording_.told(error) from error
                except EventLogError as error:
                    raise recording_.told(error) from error
                else:
                    self._away = False
                    return outcomes
                finally:
                    self.resolved += recording_.resolved
                    recording_.resolved = 0
                await asyncio.sleep(pause)
            raise AssertionError("the pauses never end")

    async def close(self) -> None:
        """Take leave of the server, once nothing is being recorded."""
        async with self._turn:
            await self._link.close()


class _Recording:
    """A group of commands on its way to the log, over as many attempts as it takes."""

    def __init__(
        self,
        link: ReconnectingConnection,
        log: int,
        commands: Sequence[AppendRequest],
        erase: int | None,
        clock: Callable[[], float],
    ) -> None:
        self._link = link
        self._log = log
        self._commands = commands
        self._erase = erase
        self._clock = clock
        self._doubtful: _Attempt | None = None
        self.resolved = 0
        self.commits = 0
        """How many transactions were told to commit."""

    def told(self, error: EventLogError) -> EventLogError:
        """Return the error to answer with when no further attempt is made."""
        return error if self._doubtful is None else _unresolved(error)

    async def attempt(self, write_until: float) -> Sequence[AppendResult]:
        """Record the commands, or find that an earlier attempt has. Raises `EventLogError`.

        What an earlier attempt has not recorded is not written again after `write_until`.
        """
        connection = await self._link.connection()
        try:
            outcomes = await self._transact(connection, write_until)
            if connection.is_in_transaction():
                await connection.execute("ROLLBACK")
            return outcomes
        except EventLogError:
            # The server drops the transaction with the connection.
            self._link.drop()
            raise
        except Exception as error:
            self._link.drop()
            raise failure(error, self._link.server.shown) from error
        except BaseException:
            self._link.drop()
            raise

    async def _transact(self, connection: Connection, write_until: float) -> Sequence[AppendResult]:
        # Whoever was recording holds the head until that is committed or undone, also where nobody listens any more.
        await append_transaction.begin(connection, self._log)
        if (before := self._doubtful) is not None:
            was_recorded = await append_transaction.was_recorded(
                connection, self._log, before.head, before.rows
            )
            self.resolved += 1
            if was_recorded:
                # The server may have crashed before its standby had the rows: a commit waits until it has, a look does not.
                await append_transaction.commit(connection)
                return before.outcomes
            self._doubtful = None
            if time.monotonic() > write_until:
                raise LogUnavailable("the server did not carry out the commit: nothing was recorded")
        group = await append_transaction.look(connection, self._log, self._commands, self._clock)
        outcomes = [group.admit(command) for command in self._commands]
        if self._erase is not None and (refusals := [one for one in outcomes if not isinstance(one, int)]):
            return refusals
        if group.rows:
            await append_transaction.write(connection, self._log, group.before, group.rows)
        if self._erase is not None:
            await payload_erasure.erase(connection, self._log, self._erase)
        if group.rows:
            self._doubtful = _Attempt(group.before, group.rows, outcomes)
            self.commits += 1
        if group.rows or self._erase is not None:
            await append_transaction.commit(connection)
            self._doubtful = None
        return outcomes


def _unresolved(error: BaseException) -> AppendUnresolved:
    return AppendUnresolved(f"whether it was recorded could not be found out: {error}")


def _copy(error: EventLogError) -> EventLogError:
    """Return one for each who waits, since each raises their own."""
    copy = type(error)(str(error))
    copy.__cause__ = error
    return copy
