"""A log that is being made of another one, in the tables from the start, and marked as not complete.

So nothing else is ever made under its name meanwhile, such as an empty log by a node that is started too early.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from asyncpg import exceptions

from ledgerpress.adapters.postgres import append_transaction, payload_erasure
from ledgerpress.adapters.postgres import event_rows as log_rows
from ledgerpress.adapters.postgres.connection import Connection, Server, close
from ledgerpress.adapters.postgres.errors import failure
from ledgerpress.adapters.postgres.log_registry import LogLocation, find, make
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import EventLogError, GapInLog, LogExists, LogUnusable

T = TypeVar("T")

# Kept by the session, so that one that is cut off leaves none; but the server may be a moment late to notice.
_ALONE: Final = "SET lock_timeout = '2s'; SELECT pg_advisory_lock(hashtext('ledgerpress.replica'), {log})"
_NOTE: Final = "UPDATE ledgerpress.log_head SET note = $2 WHERE log = $1"
_NOTED: Final = "SELECT note FROM ledgerpress.log_head WHERE log = $1"
_FINISH: Final = "UPDATE ledgerpress.log_head SET complete = true, note = '' WHERE log = $1"


class PostgresCopyTarget:
    """A `LogReplica` in a database, on one connection: when that is lost, it is opened anew."""

    def __init__(self, connection: Connection, server: Server, place: LogLocation) -> None:
        self._connection = connection
        self._server = server
        self._place = place

    @classmethod
    async def open(cls, server: Server, name: str, publication: str) -> "PostgresCopyTarget":
        """Begin or go on with a copy of the publication's log under `name`.

        Raises `LogExists`, `LogUnusable` and `LogUnavailable`.
        """
        connection = await server.connect()
        try:
            place = await find(connection, server, name)
            if place is None:
                place = await make(connection, server, name, lambda: publication, complete=False)
            if place.complete:
                raise LogExists(f"{server.shown} is a log already")
            if place.publication != publication:
                raise LogUnusable(
                    f"{server.shown} is an unfinished copy of the log of another publication, {place.publication}"
                )
            try:
                await connection.execute(_ALONE.format(log=int(place.log)))
            except exceptions.LockNotAvailableError as error:
                raise LogUnusable(f"{server.shown} is in use: another process is copying to it") from error
            if await find(connection, server, name) != place:
                raise LogExists(f"{server.shown} is a log already")
        except BaseException as error:
            connection.terminate()
            if isinstance(error, Exception):
                raise failure(error, server.shown) from error
            raise
        return cls(connection, server, place)

    async def head(self) -> int:
        """Return the position of the last event that is there."""
        return await self._run(lambda connection: log_rows.read_head(connection, self._place.log))

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        """Return up to `limit` events with positions greater than `after`; fewer if they are large."""
        return await self._run(
            lambda connection: log_rows.read_after(
                connection, self._place.log, self._place.publication, after, limit
            )
        )

    async def extend(self, events: Sequence[StoredEvent]) -> None:
        """Add `events` in one durable transaction: all, or none where it raises."""
        if events:
            await self._run(lambda connection: self._extend(connection, events))

    async def erase(self, position: int) -> None:
        """Erase payload and salt of the event at `position`."""
        await self._run(lambda connection: payload_erasure.erase(connection, self._place.log, position))
        await payload_erasure.free_what_is_erased(self._server, position)

    async def note(self, text: str) -> None:
        """Keep `text` in place of what was noted before."""
        await self._run(lambda connection: connection.execute(_NOTE, self._place.log, text))

    async def noted(self) -> str:
        """Return what was noted last."""
        return str(await self._run(lambda connection: connection.fetchval(_NOTED, self._place.log)))

    async def finish(self) -> None:
        """Make it a log."""
        await self._run(lambda connection: connection.execute(_FINISH, self._place.log))

    async def aclose(self) -> None:
        """Leave the server."""
        await close(self._connection)

    async def _run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        try:
            return await work(self._connection)
        except EventLogError:
            raise
        except Exception as error:
            raise failure(error, self._server.shown) from error

    async def _extend(self, connection: Connection, events: Sequence[StoredEvent]) -> None:
        async with connection.transaction():
            await append_transaction.lock(connection, self._place.log)
            head = expected = await log_rows.read_head(connection, self._place.log)
            for event in events:
                expected += 1
                if event.position != expected:
                    raise GapInLog(expected=expected, found=event.position)
                if event.header.publication != self._place.publication:
                    raise EventLogError(f"position {expected}: it belongs to another publication")
            await append_transaction.write(
                connection, self._place.log, head, [log_rows.copied_row(event) for event in events]
            )
