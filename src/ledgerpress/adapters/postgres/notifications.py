"""Notifies other nodes that the head has advanced, and receives their notifications (LISTEN, NOTIFY).

A notification is sent after the transaction of the append, not in it. Otherwise publications could not append in
parallel: a transaction with NOTIFY blocks all others with NOTIFY in the whole server until it is flushed. Notifications
may be lost, so waiting nodes also poll the log.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from ledgerpress.adapters.postgres.connection import BACKOFF, Connection, Server, close
from ledgerpress.adapters.postgres.log_registry import LogLocation
from ledgerpress.retry import poll

FINAL_SEND_TIMEOUT: Final = 0.5
"""Seconds that `close` waits until the last notification is sent."""
FINAL_SEND_INTERVAL: Final = 0.005
"""Seconds between two polls in `close`."""
KEEPALIVE_INTERVAL: Final = 10.0
"""Seconds without a notification after which the connection is tested, since it may be dead without an error."""


class HeadNotifications:
    """A connection that sends and receives notifications; if it is lost, it is opened again, without limit."""

    def __init__(self, server: Server, location: LogLocation, announce: Callable[[int], None]) -> None:
        """Begin to listen, and call `announce` with every position received."""
        self._server = server
        self._channel = f"ledgerpress.{location.log}"
        self._announce = announce
        self._head = self._sent = 0
        self._wake_up = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run())

    def notify(self, head: int) -> None:
        """Notify other nodes soon that the head is at `head`; only the greatest pending head is sent."""
        if head > self._head:
            self._head = head
            self._wake_up.set()

    async def close(self) -> None:
        """Send the pending notification, unless that takes too long, and stop listening."""
        await poll(self._is_sent, interval=FINAL_SEND_INTERVAL, timeout=FINAL_SEND_TIMEOUT)
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _is_sent(self) -> bool | None:
        return True if self._sent >= self._head else None

    async def _run(self) -> None:
        delays = BACKOFF.delays()
        while True:
            # asyncpg raises many classes without a common base class.
            with suppress(Exception):
                connection = await self._server.connect()
                delays = BACKOFF.delays()
                try:
                    await self._serve(connection)
                finally:
                    await asyncio.shield(close(connection))
            await asyncio.sleep(next(delays))

    async def _serve(self, connection: Connection) -> None:
        connection.add_termination_listener(lambda _: self._wake_up.set())
        await connection.execute("SET synchronous_commit = off")
        await connection.add_listener(self._channel, self._on_notification)
        while not connection.is_closed():
            if (head := self._head) > self._sent:
                await connection.execute("SELECT pg_notify($1, $2)", self._channel, str(head))
                self._sent = head
            else:
                self._wake_up.clear()
                try:
                    async with asyncio.timeout(KEEPALIVE_INTERVAL):
                        await self._wake_up.wait()
                except TimeoutError:
                    await connection.execute("SELECT")

    def _on_notification(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        with suppress(ValueError):
            self._announce(int(str(payload)))
