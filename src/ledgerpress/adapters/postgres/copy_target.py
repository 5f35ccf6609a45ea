"""A copy target in the final rows of the log, which is marked as incomplete.

So no other log can be created under its name meanwhile, such as an empty log by a node that starts too early.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from asyncpg import exceptions

from ledgerpress.adapters.postgres import append_transaction, event_rows, payload_erasure
from ledgerpress.adapters.postgres.connection import Connection, Server, close
from ledgerpress.adapters.postgres.errors import log_errors
from ledgerpress.adapters.postgres.log_registry import LogLocation, create_log, find_log
from ledgerpress.eventlog.copy_target import check_follows
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import LogExists, LogUnusable

T = TypeVar("T")

# The session holds the lock, so an interrupted copy leaves none. The server may notice the interruption with a delay.
_LOCK: Final = "SET lock_timeout = '2s'; SELECT pg_advisory_lock(hashtext('ledgerpress.replica'), {log})"
_SAVE_NOTE: Final = "UPDATE ledgerpress.log_head SET note = $2 WHERE log = $1"
_LOAD_NOTE: Final = "SELECT note FROM ledgerpress.log_head WHERE log = $1"
_FINISH: Final = "UPDATE ledgerpress.log_head SET complete = true, note = '' WHERE log = $1"


class PostgresCopyTarget:
    """A `CopyTarget` in a database, on one connection. If the connection is lost, the target must be opened again."""

    def __init__(self, connection: Connection, server: Server, location: LogLocation) -> None:
        self._connection = connection
        self._server = server
        self._location = location
        self._plans = append_transaction.CachedPlans()

    @classmethod
    async def open(cls, server: Server, name: str, publication: str) -> "PostgresCopyTarget":
        """Begin or continue a copy of the publication's log under `name`.

        Raises `LogExists`, `LogUnusable` and `LogUnavailable`.
        """
        connection = await server.connect()
        try:
            with log_errors(server.shown):
                location = await _open_location(connection, server, name, publication)
        except BaseException:
            connection.terminate()
            raise
        return cls(connection, server, location)

    async def head(self) -> int:
        return await self._run(lambda connection: event_rows.read_head(connection, self._location.log))

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        return await self._run(
            lambda connection: event_rows.read_after(connection, self._location, after, limit)
        )

    async def extend(self, events: Sequence[StoredEvent]) -> None:
        if events:
            await self._run(lambda connection: self._extend(connection, events))

    async def erase(self, position: int) -> None:
        await self._run(lambda connection: payload_erasure.erase(connection, self._location.log, position))
        await payload_erasure.vacuum(self._server, position)

    async def save_note(self, text: str) -> None:
        await self._run(lambda connection: connection.execute(_SAVE_NOTE, self._location.log, text))

    async def load_note(self) -> str:
        return str(await self._run(lambda connection: connection.fetchval(_LOAD_NOTE, self._location.log)))

    async def finish(self) -> None:
        await self._run(lambda connection: connection.execute(_FINISH, self._location.log))

    async def aclose(self) -> None:
        await close(self._connection)

    async def _run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        with log_errors(self._server.shown):
            return await work(self._connection)

    async def _extend(self, connection: Connection, events: Sequence[StoredEvent]) -> None:
        log = self._location.log
        async with connection.transaction():
            await append_transaction.lock(connection, log)
            head = await event_rows.read_head(connection, log)
            check_follows(events, head, self._location.publication)
            rows = [event.row for event in events]
            await append_transaction.write(connection, self._plans, log, head, rows)


async def _open_location(connection: Connection, server: Server, name: str, publication: str) -> LogLocation:
    """Return the location of the unfinished copy, and lock it for this session; create the copy if there is none."""
    location = await find_log(connection, server, name)
    if location is None:
        location = await create_log(connection, server, name, lambda: publication, complete=False)
    if location.complete:
        raise LogExists(f"{server.shown} already contains a finished log")
    if location.publication != publication:
        raise LogUnusable(
            f"{server.shown} is an unfinished copy of the log of another publication, {location.publication}"
        )
    try:
        await connection.execute(_LOCK.format(log=int(location.log)))
    except exceptions.LockNotAvailableError as error:
        raise LogUnusable(f"{server.shown} is in use: another process is copying to it") from error
    if await find_log(connection, server, name) != location:
        raise LogExists(f"{server.shown} already contains a finished log")
    return location
