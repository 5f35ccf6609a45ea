"""Erases a payload from the tables.

Copies of the payload remain, because PostgreSQL never overwrites a row. The update that erases writes a version of the
row without the payload; the old version is dead until VACUUM frees its space. Its bytes remain until other data
overwrites them, but no statement can read them. The bytes also remain in the write-ahead log until its files are
reused, on replicas, and in backups. docs/how-to/postgresql.md describes how to remove these copies too.
"""

from typing import Final

from asyncpg import exceptions

from ledgerpress.adapters.postgres import connection as connections
from ledgerpress.adapters.postgres.connection import BACKOFF, Connection, Server, close
from ledgerpress.adapters.postgres.errors import log_error
from ledgerpress.eventlog.errors import InvalidEnvelope, LogUnusable, WithdrawalUnfinished
from ledgerpress.retry import retry

_ERASE: Final = """
UPDATE ledgerpress.event SET payload = NULL, salt = NULL WHERE log = $1 AND position = $2 AND payload IS NOT NULL
"""
_IS_OWNER: Final = (
    "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'ledgerpress.event'::regclass"
)
_COUNT_DEAD: Final = """
SELECT coalesce(sum(pg_stat_get_dead_tuples(each)), 0)::bigint
FROM pg_class, unnest(ARRAY[oid, reltoastrelid]) AS each WHERE oid = 'ledgerpress.event'::regclass
"""
VACUUM_TIMEOUT: Final = 3_600.0
"""Seconds that VACUUM may take."""


async def erase(connection: Connection, log: int, position: int) -> None:
    """Erase the payload at `position`, in the open transaction.

    Raises `InvalidEnvelope` if no withdrawal of this event is recorded, and `LogUnusable` if the role is not permitted
    to erase.
    """
    try:
        await connection.execute(_ERASE, log, position)
    except exceptions.IntegrityConstraintViolationError as error:
        raise InvalidEnvelope(f"no withdrawal of the event at position {position} is recorded") from error
    except exceptions.InsufficientPrivilegeError as error:
        raise LogUnusable(
            f"nothing was recorded: the role has no permission to erase payloads ({error}); withdraw with --log and "
            "the URL of the role that owns the tables"
        ) from error


async def vacuum(server: Server, position: int) -> None:
    """Remove dead row versions; wait for a limited time for transactions that still read an older state.

    Raises `WithdrawalUnfinished` if dead row versions remain.
    """
    problem = f"the payload at position {position} is withdrawn, but its space in the tables is not free yet"
    remedy = "withdraw it again, or run VACUUM ledgerpress.event"

    async def attempt() -> None:
        await connection.execute("VACUUM (TRUNCATE false) ledgerpress.event", timeout=VACUUM_TIMEOUT)
        if await connection.fetchval(_COUNT_DEAD):
            raise WithdrawalUnfinished(
                f"{problem}: a transaction still reads an older state; later, {remedy}"
            )

    try:
        connection = await server.connect()
        try:
            if not await connection.fetchval(_IS_OWNER):
                raise WithdrawalUnfinished(
                    f"{problem}: only the owner of the tables can free it; as the owner, {remedy}"
                )
            await connection.execute("SET statement_timeout = 0")
            await retry(
                attempt,
                on=WithdrawalUnfinished,
                delays=BACKOFF.delays(),
                timeout=connections.RETRY_TIMEOUT,
            )
        finally:
            await close(connection)
    except WithdrawalUnfinished:
        raise
    except Exception as error:
        raise WithdrawalUnfinished(f"{problem}: {log_error(error, server.shown)}; {remedy}") from error
