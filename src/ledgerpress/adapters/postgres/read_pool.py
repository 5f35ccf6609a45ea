"""Connections for those who read: a few, made when they are needed, and made anew when they are lost."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

from ledgerpress.adapters.postgres.connection import Connection, Server
from ledgerpress.adapters.postgres.errors import failure
from ledgerpress.adapters.postgres.log_registry import LogLocation
from ledgerpress.adapters.postgres.reconnecting_connection import ReconnectingConnection
from ledgerpress.adapters.postgres.retry import retry
from ledgerpress.eventlog.errors import EventLogError, LogClosed

T = TypeVar("T")

MOST: Final = 4


class ReadPool:
    """Runs what reads on the connection that is free next. Reading is repeated when the server was away."""

    def __init__(self, server: Server, place: LogLocation) -> None:
        self._links = [ReconnectingConnection(server, place) for _ in range(MOST)]
        self._idle = list(self._links)
        self._free = asyncio.Semaphore(MOST)
        self._closed = False

    @property
    def reconnects(self) -> int:
        """How often a connection was made anew."""
        return sum(link.reconnects for link in self._links)

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Return what `work` returns for a connection. Raises `LogUnavailable`, `EventLogError` or `LogClosed`."""
        return await retry(partial(self._attempt, work))

    async def close(self) -> None:
        """Let those who read come to their end, and close the connections."""
        self._closed = True
        for _ in self._links:
            await self._free.acquire()
        for link in self._links:
            await link.close()
        for _ in self._links:
            self._free.release()

    async def _attempt(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        async with self._free:
            if self._closed:
                raise LogClosed("the log was closed")
            # The one used last, so that the others are only opened when they are needed.
            link = self._idle.pop()
            try:
                return await work(await link.connection())
            except EventLogError:
                raise
            except Exception as error:
                link.drop()
                raise failure(error, link.server.shown) from error
            finally:
                # Of a question that was called off, asyncpg has the server told, and waits for that before the next one.
                self._idle.append(link)
