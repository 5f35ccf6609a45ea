"""Finds the logs of a database by name, and creates them. Logs of an unknown format are left unchanged."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from typing import Final

from asyncpg import exceptions

from ledgerpress.adapters.postgres.connection import Connection, Server
from ledgerpress.eventlog.errors import LogUnusable

FORMAT_VERSION: Final = 1
"""The version of the layout of tables and triggers."""

_HAS_TABLES: Final = "SELECT to_regclass('ledgerpress.log_head') IS NOT NULL"
_SELECT: Final = "SELECT log, publication, format, complete FROM ledgerpress.log_head WHERE name = $1"
# Logs are numbered consecutively, so a session that creates a log locks all of them.
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('ledgerpress.log_head'))"
_INSERT: Final = """
INSERT INTO ledgerpress.log_head (log, name, publication, format, complete)
SELECT 1 + coalesce(max(log), 0), $1, $2, $3, $4 FROM ledgerpress.log_head
"""


@dataclass(frozen=True, slots=True)
class LogLocation:
    """The location of a log in a database. `log` is the number by which its rows refer to it."""

    log: int
    name: str
    publication: str
    complete: bool


async def open_location(
    connection: Connection, server: Server, name: str, create_as: Callable[[], str] | None
) -> LogLocation:
    """Return the location of the log `name`; if there is none, create it for the publication that `create_as` returns.

    If several nodes do so at the same time, one of them creates the log, and all return its publication. Raises
    `LogUnusable`, for example for an unfinished copy, and errors of asyncpg.
    """
    location = await find_log(connection, server, name)
    if location is None:
        if create_as is None:
            raise LogUnusable(f"there is no log {name!r} at {server.shown}")
        location = await create_log(connection, server, name, create_as, complete=True)
    if not location.complete:
        raise LogUnusable(
            f"{server.shown} is an unfinished copy of a log: continue it with `ledgerpress log copy`, or "
            "delete it as docs/how-to/postgresql.md describes"
        )
    return location


async def find_log(connection: Connection, server: Server, name: str) -> LogLocation | None:
    """Return the location of the log `name`, or `None`. Raises `LogUnusable` if its format is unknown."""
    try:
        if not await connection.fetchval(_HAS_TABLES):
            return None
        row = await connection.fetchrow(_SELECT, name)
    except exceptions.InsufficientPrivilegeError as error:
        raise LogUnusable(
            f"{server.shown}: the role has no permission to read the tables of LedgerPress ({error}): see "
            "docs/how-to/postgresql.md"
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

    If the tables are missing, create them too.
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
            f"there is no log {name!r} at {server.shown}, and the role has no permission to create one ({error}): "
            "create it once with the role that owns the tables, see docs/how-to/postgresql.md"
        ) from error
    if location is None:
        raise LogUnusable(f"the log {name!r} at {server.shown} is missing after its creation")
    return location
