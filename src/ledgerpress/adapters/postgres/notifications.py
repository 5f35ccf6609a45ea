"""Tells the other nodes that the head has moved, and hears it from them (LISTEN, NOTIFY).

A signal is sent after the append's transaction, not in it: a transaction with NOTIFY keeps every other one with NOTIFY
in the whole server waiting until it is flushed, so that publications could not append in parallel. Signals may be
lost; whoever waits looks at the log by itself as well.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import asyncpg

from ledgerpress.adapters.postgres.connection import Connection, Server, close
from ledgerpress.adapters.postgres.log_registry import LogLocation
from ledgerpress.adapters.postgres.retry import retry_delays
from ledgerpress.eventlog.errors import EventLogError

LAST_WORDS: Final = 0.5
"""Seconds for which a log that is closed waits for its last signal to go out."""

SILENCE: Final = 10.0
"""Seconds after which the server is asked whether it is still there: a connection may die without a word."""


class HeadNotifications:
    """A connection that listens, and from which is signalled; made anew for as long as it takes."""

    def __init__(self, server: Server, place: LogLocation, heard: Callable[[int], None]) -> None:
        """Call `heard` with every position that is signalled."""
        self._server = server
        self._channel = f"ledgerpress.{place.log}"
        self._heard = heard
        self._head = self._told = 0
        self._something = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run())

    def tell(self, head: int) -> None:
        """Signal that the head is at `head`: soon, and together with what comes until then."""
        if head > self._head:
            self._head = head
            self._something.set()

    async def close(self) -> None:
        """Signal what is left to, unless that takes long, and stop listening."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                while self._told < self._head:  # noqa: ASYNC110 - nobody else asks, and this once
                    await asyncio.sleep(0.005)
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        delays = retry_delays()
        while True:
            with suppress(
                EventLogError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError
            ):
                connection = await self._server.connect()
                delays = retry_delays()
                try:
                    await self._serve(connection)
                finally:
                    await asyncio.shield(close(connection))
            await asyncio.sleep(next(delays))

    async def _serve(self, connection: Connection) -> None:
        connection.add_termination_listener(lambda _: self._something.set())
        await connection.execute("SET synchronous_commit = off")
        await connection.add_listener(self._channel, self._on_signal)
        while not connection.is_closed():
            if (head := self._head) > self._told:
                await connection.execute("SELECT pg_notify($1, $2)", self._channel, str(head))
                self._told = head
            else:
                self._something.clear()
                try:
                    async with asyncio.timeout(SILENCE):
                        await self._something.wait()
                except TimeoutError:
                    await connection.execute("SELECT")

    def _on_signal(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        with suppress(ValueError):
            self._heard(int(str(payload)))
