"""A pool of connections for reads, opened when needed and reopened when lost."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

from ledgerpress.adapters.postgres.connection import Connection, Server, retry_while_unavailable
from ledgerpress.adapters.postgres.errors import log_errors
from ledgerpress.adapters.postgres.log_registry import LogLocation
from ledgerpress.adapters.postgres.reconnecting_connection import ReconnectingConnection
from ledgerpress.eventlog.errors import EventLogError, LogClosed

T = TypeVar("T")

MAX_CONNECTIONS: Final = 4


class ReadPool:
    """Runs reads on the next free connection, and repeats them if the server was unavailable."""

    def __init__(self, server: Server, location: LogLocation) -> None:
        self._connections = [ReconnectingConnection(server, location) for _ in range(MAX_CONNECTIONS)]
        self._idle = list(self._connections)
        self._free = asyncio.Semaphore(MAX_CONNECTIONS)
        self._closed = False

    @property
    def reconnects(self) -> int:
        """How often a connection was reopened."""
        return sum(connection.reconnects for connection in self._connections)

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Return the result of `work` with a connection. Raises `LogUnavailable`, `EventLogError` or `LogClosed`."""
        return await retry_while_unavailable(partial(self._attempt, work))

    async def close(self) -> None:
        """Wait for pending reads, and close the connections."""
        self._closed = True
        for _ in self._connections:
            await self._free.acquire()
        for connection in self._connections:
            await connection.close()
        for _ in self._connections:
            self._free.release()

    async def _attempt(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        async with self._free:
            if self._closed:
                raise LogClosed("the log was closed")
            # The one used last, so that the others are only opened when needed.
            pooled = self._idle.pop()
            try:
                with log_errors(pooled.server.shown):
                    connection = await pooled.get()
                    try:
                        return await work(connection)
                    except EventLogError:
                        raise
                    except Exception:
                        pooled.drop()
                        raise
            finally:
                # asyncpg cancels an abandoned statement on the server, and waits for that before the next one.
                self._idle.append(pooled)
