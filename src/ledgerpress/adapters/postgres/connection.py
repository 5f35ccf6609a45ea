"""A connection to the server that holds the log, as the log needs it: to the primary, durable, and never for ever."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from ledgerpress.adapters.postgres.errors import LASTING, failure
from ledgerpress.adapters.postgres.host_addresses import addresses_of, loop_towards
from ledgerpress.adapters.postgres.url import check_parameters, each_host, host_name
from ledgerpress.eventlog.errors import EventLogError, LogRefuses, LogUnavailable, LogUnusable

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

OLDEST = 15
"""The oldest major version of PostgreSQL that is supported."""
CONNECT_SECONDS: Final = 5.0
HEAD_START: Final = 0.5
"""Seconds after which the next host, or address, is tried as well, while the one before has not answered."""
STATEMENT_SECONDS: Final = 10
ANSWER_SECONDS = STATEMENT_SECONDS + 2.0
"""After this the server hangs: it should have given up by itself."""
CLOSE_SECONDS: Final = 2.0

_SETTINGS: Final[Mapping[str, str]] = {
    "application_name": "ledgerpress",
    "statement_timeout": f"{STATEMENT_SECONDS}s",
    "lock_timeout": f"{STATEMENT_SECONDS - 2}s",
    # A node that stops in the middle of an append holds the head of the log, and stops all others.
    "idle_in_transaction_session_timeout": "5s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    # A plan is made once, often while the table is small: it must be one for a large table, by the index.
    "enable_seqscan": "off",
    "jit": "off",
    # That a commit may be on no replica is said in a warning.
    "client_min_messages": "warning",
    "timezone": "UTC",
    # What is read after the lock is as of after it, whatever the server's default is.
    "default_transaction_isolation": "read committed",
}
_CHECK: Final = """
SELECT current_setting('server_version_num')::integer / 10000, current_setting('server_version'),
       current_setting('fsync')::boolean,
       CASE WHEN current_setting('synchronous_commit') <> 'remote_apply'
            THEN set_config('synchronous_commit', 'on', false) END
"""


@dataclass(frozen=True, slots=True)
class Server:
    """Where to connect to: a URL as PostgreSQL's own clients take it, and how it may be shown."""

    url: str = field(repr=False)
    shown: str

    async def connect(self) -> Connection:
        """Open a connection. Raises `LogUnavailable`, or `LogUnusable` where no later attempt would fare better."""
        check_parameters(self.url, self.shown)
        try:
            connection = await _first([partial(_connect_host, url) for url in each_host(self.url)])
        except Exception as error:  # asyncpg raises many kinds, of no common class
            raise self._refused(error) from error
        try:
            await self._check(connection)
        except BaseException as error:
            connection.terminate()
            if isinstance(error, Exception):
                raise self._refused(error) from error
            raise
        return connection

    def _refused(self, error: Exception) -> EventLogError:
        refusal = failure(error, self.shown)
        if isinstance(refusal, LogUnavailable | LogUnusable) and not isinstance(refusal, LogRefuses):
            return refusal
        return LogUnusable(str(refusal))

    async def _check(self, connection: Connection) -> None:
        found = await connection.fetchrow(_CHECK)
        assert found is not None  # noqa: S101  # a SELECT without FROM has one row
        major, version, syncs, _ = found
        if major < OLDEST:
            raise LogUnusable(
                f"{self.shown} is PostgreSQL {version}: LedgerPress needs {OLDEST} or newer; upgrade the server"
            )
        if not syncs:
            raise LogUnusable(
                f"{self.shown} runs with fsync = off, so that a power cut may lose what was acknowledged, or the whole "
                "database: set fsync = on in postgresql.conf and restart it"
            )


Attempt: TypeAlias = Callable[[], Coroutine[None, None, Connection]]

_ending: Final = set[asyncio.Task[Connection]]()
"""Attempts that nobody waits for any more."""


async def _first(attempts: Sequence[Attempt]) -> Connection:
    """Return a connection to the first that takes writes. None keeps the next ones waiting for long."""
    waiting = iter(attempts)
    tasks = [asyncio.create_task(next(waiting)())]
    pending = set(tasks)
    refusal: BaseException | None = None
    won: asyncio.Task[Connection] | None = None
    try:
        while pending:
            all_asked = len(tasks) == len(attempts)
            timeout = None if all_asked else HEAD_START
            done, pending = await asyncio.wait(pending, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if (error := task.exception()) is None:
                    won = task
                    return won.result()
                if not isinstance(refusal, LASTING):
                    refusal = error
            if not all_asked:
                tasks.append(asyncio.create_task(next(waiting)()))
                pending.add(tasks[-1])
        assert refusal is not None  # noqa: S101  # there is at least one
        raise refusal
    finally:
        # asyncpg leaves loose ends, and says so, where it is stopped while it connects. So each comes to its end by itself.
        for task in tasks:
            if task is not won:
                _ending.add(task)
                task.add_done_callback(_abandon)


async def _connect_host(url: str) -> Connection:
    """Connect to the one host of a URL, at the first of its addresses that takes writes."""
    if not (name := host_name(url)):
        return await _connect(url)
    addresses = await addresses_of(name)
    return await _first([partial(_connect, url, loop_towards(address)) for address in addresses])


async def _connect(url: str, loop: asyncio.AbstractEventLoop | None = None) -> Connection:
    connection: Connection = await asyncpg.connect(
        url,
        loop=loop,
        timeout=CONNECT_SECONDS,
        command_timeout=ANSWER_SECONDS,
        server_settings=dict(_SETTINGS),
        # A replica may lack what was acknowledged, and may have what never will be.
        target_session_attrs=SessionAttribute.read_write,
    )
    return connection


def _abandon(task: asyncio.Task[Connection]) -> None:
    _ending.discard(task)
    if not task.cancelled() and task.exception() is None:
        task.result().terminate()


async def close(connection: Connection) -> None:
    """Take leave of the server, or just go where it does not answer in time."""
    try:
        await connection.close(timeout=CLOSE_SECONDS)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        connection.terminate()
