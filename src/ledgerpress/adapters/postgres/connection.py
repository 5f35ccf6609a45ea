"""Connects to the server of the log: to the primary, with durable commits and limited waiting times."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from secrets import SystemRandom
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

import asyncpg

from ledgerpress.adapters.postgres.errors import PERMANENT, log_error
from ledgerpress.adapters.postgres.host_resolution_and_single_address_connect import (
    addresses_of,
    loop_connecting_to,
)
from ledgerpress.adapters.postgres.url_checks_and_hosts import check_parameters, host_name, split_hosts
from ledgerpress.eventlog.errors import EventLogError, LogAccessDenied, LogUnavailable, LogUnusable
from ledgerpress.retry import Backoff, retry

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

T = TypeVar("T")

MIN_VERSION = 15
"""The oldest supported major version of PostgreSQL."""
CONNECT_TIMEOUT: Final = 5.0
"""Seconds."""
NEXT_HOST_DELAY: Final = 0.5
"""Seconds after which the next host or address is tried too, if the previous one has not answered."""
STATEMENT_TIMEOUT: Final = 10
"""Seconds after which the server cancels a statement."""
COMMAND_TIMEOUT = STATEMENT_TIMEOUT + 2.0
"""Seconds after which the server counts as unresponsive: it should have cancelled the statement by itself."""
CLOSE_TIMEOUT: Final = 2.0
"""Seconds."""
RETRY_TIMEOUT = 5.0
"""Seconds of retries while the server is unavailable. A single attempt may take longer."""
BACKOFF: Final = Backoff(0.05, 1.0, spread=partial(SystemRandom().uniform, 0.5, 1.5))
"""Delays between attempts; they are random, so that nodes do not retry at the same time."""

_SETTINGS: Final[Mapping[str, str]] = {
    "application_name": "ledgerpress",
    "statement_timeout": f"{STATEMENT_TIMEOUT}s",
    "lock_timeout": f"{STATEMENT_TIMEOUT - 2}s",
    # A node that hangs in the middle of an append holds the lock on the head, and so blocks all other nodes.
    "idle_in_transaction_session_timeout": "5s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    # The server may cache a plan while the table is small. The plan must suit a large table: it must use the index.
    "enable_seqscan": "off",
    # A plan for one log assumes that it has no events if the server collected its statistics before there were any.
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
    # The server reports a commit that may not be on any replica in a warning.
    "client_min_messages": "warning",
    "timezone": "UTC",
    # Reads after the lock must see the state after the lock, whatever the default of the server is.
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
    """The URL of a server, as PostgreSQL's own clients accept it, and the form of the URL that may be displayed."""

    url: str = field(repr=False)
    shown: str

    async def connect(self) -> Connection:
        """Open a connection. Raises `LogUnavailable`, or `LogUnusable` if no later attempt can succeed."""
        check_parameters(self.url, self.shown)
        try:
            connection = await _connect_first([partial(_connect_host, url) for url in split_hosts(self.url)])
        except Exception as error:  # asyncpg raises many classes without a common base class
            raise self._connect_error(error) from error
        try:
            await self._check(connection)
        except BaseException as error:
            connection.terminate()
            if isinstance(error, Exception):
                raise self._connect_error(error) from error
            raise
        return connection

    def _connect_error(self, error: Exception) -> EventLogError:
        result = log_error(error, self.shown)
        if isinstance(result, LogUnavailable | LogUnusable) and not isinstance(result, LogAccessDenied):
            return result
        return LogUnusable(str(result))

    async def _check(self, connection: Connection) -> None:
        row = await connection.fetchrow(_CHECK)
        assert row is not None  # noqa: S101 - a SELECT without FROM has one row
        major, version, fsync, _ = row
        if major < MIN_VERSION:
            raise LogUnusable(
                f"{self.shown} is PostgreSQL {version}: LedgerPress needs {MIN_VERSION} or newer; upgrade the server"
            )
        if not fsync:
            raise LogUnusable(
                f"{self.shown} runs with fsync = off, so a power failure may lose acknowledged events or the whole "
                "database: set fsync = on in postgresql.conf and restart the server"
            )


Attempt: TypeAlias = Callable[[], Coroutine[None, None, Connection]]

_abandoned: Final = set[asyncio.Task[Connection]]()
"""Connection attempts whose result is no longer needed."""


async def _connect_first(attempts: Sequence[Attempt]) -> Connection:
    """Return the first connection to a server that accepts writes. A slow server delays the others only briefly."""
    remaining = iter(attempts)
    tasks = [asyncio.create_task(next(remaining)())]
    pending = set(tasks)
    failure: BaseException | None = None
    winner: asyncio.Task[Connection] | None = None
    try:
        while pending:
            all_started = len(tasks) == len(attempts)
            timeout = None if all_started else NEXT_HOST_DELAY
            done, pending = await asyncio.wait(pending, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if (error := task.exception()) is None:
                    winner = task
                    return winner.result()
                if not isinstance(failure, PERMANENT):
                    failure = error
            if not all_started:
                tasks.append(asyncio.create_task(next(remaining)()))
                pending.add(tasks[-1])
        assert failure is not None  # noqa: S101 - there is at least one attempt
        raise failure
    finally:
        # Let each attempt end: if asyncpg is cancelled while it connects, it leaves callbacks that log errors.
        for task in tasks:
            if task is not winner:
                _abandoned.add(task)
                task.add_done_callback(_terminate_abandoned)


async def _connect_host(url: str) -> Connection:
    """Connect to the single host of a URL, at the first of its addresses that accepts writes."""
    if not (name := host_name(url)):
        return await _connect(url)
    loops = [loop_connecting_to(address) for address in await addresses_of(name)]
    return await _connect_first([partial(_connect, url, loop) for loop in loops])


async def _connect(url: str, loop: asyncio.AbstractEventLoop | None = None) -> Connection:
    connection: Connection = await asyncpg.connect(  # type: ignore[call-overload]
        url,
        loop=loop,
        timeout=CONNECT_TIMEOUT,
        command_timeout=COMMAND_TIMEOUT,
        server_settings=dict(_SETTINGS),
        # A replica may lack acknowledged events, and may have events that are never acknowledged.
        # asyncpg accepts the text; its stubs only know an enum of a private module.
        target_session_attrs="read-write",
    )
    return connection


def _terminate_abandoned(task: asyncio.Task[Connection]) -> None:
    _abandoned.discard(task)
    if not task.cancelled() and task.exception() is None:
        task.result().terminate()


async def close(connection: Connection) -> None:
    """Close a connection; terminate it if the server does not answer in time."""
    try:
        await connection.close(timeout=CLOSE_TIMEOUT)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        connection.terminate()


async def retry_while_unavailable(attempt: Callable[[], Awaitable[T]]) -> T:
    """Call `attempt` until it does not raise `LogUnavailable`; raise the last error after `RETRY_TIMEOUT`."""
    return await retry(attempt, on=LogUnavailable, delays=BACKOFF.delays(), timeout=RETRY_TIMEOUT)
