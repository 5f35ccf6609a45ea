"""The logs of a database: found by name, or created. Anything else is rejected and left unchanged."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from typing import Final

from asyncpg import exceptions

from ledgerpress.adapters.postgres.connection import Connection, Server
from ledgerpress.eventlog.errors import LogUnusable

FORMAT_VERSION: Final = 1
"""The layout of tables and triggers."""

_HAS_TABLES: Final = "SELECT to_regclass('ledgerpress.log_head') IS NOT NULL"
_SELECT: Final = "SELECT log, publication, format, complete FROM ledgerpress.log_head WHERE name = $1"
# Logs are numbered consecutively: a session that creates one holds a lock on all of them.
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('ledgerpress.log_head'))"
_INSERT: Final = """
INSERT INTO ledgerpress.log_head (log, name, publication, format, complete)
SELECT 1 + coalesce(max(log), 0), $1, $2, $3, $4 FROM ledgerpress.log_head
"""


@dataclass(frozen=True, slots=True)
class LogLocation:
    """A log in a database: the number of its rows, its name, and its publication."""

    log: int
    name: str
    publication: str
    complete: bool


async def open_location(
    connection: Connection, server: Server, name: str, create_as: Callable[[], str] | None
) -> LogLocation:
    """Return the location of the log `name`; if there is none, create it for the publication that `create_as` returns.

    If several nodes do so at once, one succeeds, and all get its publication. Raises `LogUnusable`, also for an unfinished
    copy, and errors of asyncpg.
    """
    location = await find_log(connection, server, name)
    if location is None:
        if create_as is None:
            raise LogUnusable(f"there is no log {name!r} at {server.shown}")
        location = await create_log(connection, server, name, create_as, complete=True)
    if not location.complete:
        raise LogUnusable(
            f"{server.shown} is a copy of a log that is not finished: go on with `ledgerpress log copy`, or delete it "
            "as docs/how-to/postgresql.md says"
        )
    return location


async def find_log(connection: Connection, server: Server, name: str) -> LogLocation | None:
    """Return the location of the log `name`, `None` if there is none. Raises `LogUnusable` for an unknown format."""
    try:
        if not await connection.fetchval(_HAS_TABLES):
            return None
        row = await connection.fetchrow(_SELECT, name)
    except exceptions.InsufficientPrivilegeError as error:
        raise LogUnusable(
            f"{server.shown}: the role may not read the tables of LedgerPress ({error}): see docs/how-to/postgresql.md"
        ) from error
    if row is None:
        return None
    log, publication, format_version, complete = row
    if format_version > FORMAT_VERSION:
        raise LogUnusable(
            f"the log {name!r} at {server.shown} was written by a newer LedgerPress (format {format_version}); "
            f"this one reads format {FORMAT_VERSION}: upgrade"
        )
    if format_version < FORMAT_VERSION:
        raise LogUnusable(f"the log {name!r} at {server.shown} has the unknown format {format_version}")
    return LogLocation(log, name, str(publication), complete)


async def create_log(
    connection: Connection, server: Server, name: str, create_as: Callable[[], str], *, complete: bool
) -> LogLocation:
    """Create the log `name` unless another node has just done so; return its location.

    It creates the tables too, if they are missing.
    """
    tables = resources.files(__package__).joinpath("log_schema.sql").read_text("utf-8")
    try:
        async with connection.transaction():
            await connection.execute(_LOCK)
            if not await connection.fetchval(_HAS_TABLES):
                await connection.execute(tables)
            location = await find_log(connection, server, name)
            if location is None:
                await connection.execute(_INSERT, name, create_as(), FORMAT_VERSION, complete)
                location = await find_log(connection, server, name)
    except exceptions.InsufficientPrivilegeError as error:
        raise LogUnusable(
            f"there is no log {name!r} at {server.shown}, and the role may not make one ({error}): make it once with the "
            "role that owns the tables, see docs/how-to/postgresql.md"
        ) from error
    if location is None:
        raise LogUnusable(f"the log {name!r} at {server.shown} is not there after it was made")
    return location
