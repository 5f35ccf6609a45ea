"""Erases a payload from the tables.

What is left then: PostgreSQL never overwrites a row. The update that erases makes a version of the row without the
payload, and the one with it is dead, until VACUUM gives its place free; its bytes stay there, out of reach of any
statement, until something else is written over them, and likewise in the write-ahead log until its files are used
again, on replicas, and in backups. docs/how-to/postgresql.md says how to be rid of those too.
"""

import time
from asyncio import sleep
from typing import Final

from asyncpg import exceptions

from ledgerpress.adapters.postgres import retry
from ledgerpress.adapters.postgres.connection import Connection, Server, close
from ledgerpress.adapters.postgres.errors import failure
from ledgerpress.adapters.postgres.retry import retry_delays
from ledgerpress.eventlog.errors import InvalidEnvelope, LogUnusable, WithdrawalUnfinished

_ERASE: Final = """
UPDATE ledgerpress.event SET payload = NULL, salt = NULL WHERE log = $1 AND position = $2 AND payload IS NOT NULL
"""
_IS_OWNER: Final = (
    "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'ledgerpress.event'::regclass"
)
_DEAD: Final = """
SELECT coalesce(sum(pg_stat_get_dead_tuples(each)), 0)::bigint
FROM pg_class, unnest(ARRAY[oid, reltoastrelid]) AS each WHERE oid = 'ledgerpress.event'::regclass
"""
VACUUM_SECONDS: Final = 3_600.0


async def erase(connection: Connection, log: int, position: int) -> None:
    """Erase the payload at `position`, in the transaction under way.

    Raises `InvalidEnvelope` where no withdrawal of this event is recorded, and `LogUnusable` for a role that may not.
    """
    try:
        await connection.execute(_ERASE, log, position)
    except exceptions.IntegrityConstraintViolationError as error:
        raise InvalidEnvelope(f"no withdrawal of the event at position {position} is recorded") from error
    except exceptions.InsufficientPrivilegeError as error:
        raise LogUnusable(
            f"the role that is used may not erase payloads ({error}): withdraw with --log and the URL of the role that "
            "owns the tables; nothing was recorded"
        ) from error


async def free_what_is_erased(server: Server, position: int) -> None:
    """Have the dead versions of rows removed; wait a while for those who still read an older state.

    Raises `WithdrawalUnfinished`.
    """
    unfinished = (
        f"the payload at position {position} is withdrawn, but its place in the tables is not free yet"
    )
    again = "withdraw it again, or run VACUUM ledgerpress.event"
    give_up = time.monotonic() + retry.RETRY_TIMEOUT
    try:
        connection = await server.connect()
        try:
            if not await connection.fetchval(_IS_OWNER):
                raise WithdrawalUnfinished(
                    f"{unfinished}: only the owner of the tables may do that; as the owner, {again}"
                )
            await connection.execute("SET statement_timeout = 0")
            for pause in retry_delays():
                await connection.execute("VACUUM (TRUNCATE false) ledgerpress.event", timeout=VACUUM_SECONDS)
                if not await connection.fetchval(_DEAD):
                    return
                if time.monotonic() + pause > give_up:
                    raise WithdrawalUnfinished(
                        f"{unfinished}: somebody still reads an older state; later, {again}"
                    )
                await sleep(pause)
        finally:
            await close(connection)
    except WithdrawalUnfinished:
        raise
    except Exception as error:
        raise WithdrawalUnfinished(f"{unfinished}: {failure(error, server.shown)}; {again}") from error
