"""Connections to an opened log that reconnect after a loss: a single connection, and a pool for reads."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

from ledgerpress.adapters.postgres.connection import Connection, Server, close, retry_while_unavailable
from ledgerpress.adapters.postgres.errors import log_errors
from ledgerpress.adapters.postgres.log_registry import LogLocation, find_log
from ledgerpress.eventlog.errors import EventLogError, LogAccessDenied, LogClosed, LogUnusable

T = TypeVar("T")

MAX_CONNECTIONS: Final = 4


class OtherLog(LogUnusable):
    """The location of the opened log contains another log now, or none.

    `publication` is the publication of the other log, or `None` if there is no finished log.
    """

    def __init__(self, publication: str | None, message: str) -> None:
        super().__init__(message)
        self.publication = publication


class ReconnectingConnection:
    """A connection to the server of a log, for one caller at a time."""

    def __init__(self, server: Server, location: LogLocation, connection: Connection | None = None) -> None:
        self.server = server
        self._location = location
        self._connection = connection
        self._was_connected = connection is not None
        self.reconnects = 0

    async def get(self) -> Connection:
        """Return the connection; if it was lost, try once to reconnect. Raises `EventLogError`."""
        if self._connection is None or self._connection.is_closed():
            self._connection = None
            try:
                connection = await self.server.connect()
            except LogUnusable as error:
                # The log was usable when it was opened: an operator may correct the problem without a restart.
                raise LogAccessDenied(str(error)) from error
            try:
                with log_errors(self.server.shown):
                    await self._check(connection)
            except BaseException:
                connection.terminate()
                raise
            self._connection = connection
            self.reconnects += self._was_connected
            self._was_connected = True
        return self._connection

    def drop(self) -> None:
        """Terminate the connection at once, even during a statement."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def close(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await close(connection)

    async def _check(self, connection: Connection) -> None:
        """Raise `OtherLog` if the log was replaced: the server may have been restored from another server's backup."""
        location = await find_log(connection, self.server, self._location.name)
        if location != self._location:
            raise OtherLog(
                location.publication if location and location.complete else None,
                f"the log {self._location.name!r} at {self.server.shown} was replaced: restart this node",
            )


class ReadPool:
    """A pool of connections for reads; it repeats a read if the server was unavailable."""

    def __init__(self, server: Server, location: LogLocation) -> None:
        self._connections = [ReconnectingConnection(server, location) for _ in range(MAX_CONNECTIONS)]
        self._idle = list(self._connections)
        self._free = asyncio.Semaphore(MAX_CONNECTIONS)
        self._closed = False

    @property
    def reconnects(self) -> int:
        return sum(connection.reconnects for connection in self._connections)

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Call `work` with a connection and return its result. Raises `EventLogError`, such as `LogUnavailable`."""
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
            # Take the most recently used connection, so that the others are opened only when needed.
            slot = self._idle.pop()
            try:
                with log_errors(slot.server.shown):
                    connection = await slot.get()
                    try:
                        return await work(connection)
                    except EventLogError:
                        raise
                    except Exception:
                        slot.drop()
                        raise
            finally:
                # asyncpg cancels an abandoned statement on the server, and waits for this before the next statement.
                self._idle.append(slot)
