"""The life of one worker: it reports to its supervisor that it runs, and stops when the supervisor wants it or has ended."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from ledgerpress.server.workers.supervision_messages import Beat, Link, Ready, Retire

BEAT_INTERVAL: Final = 0.25
"""Seconds between two messages to the supervisor, from the event loop."""


class WorkerLifetime:
    """The connection of this worker to its supervisor."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._is_replaced = False

    @classmethod
    @asynccontextmanager
    async def supervised(cls, connected: socket.socket) -> "AsyncIterator[WorkerLifetime]":
        """Report to the supervisor at the other end of the socket until the context ends."""
        lifetime = cls(await Link.over(connected))
        tasks = [
            asyncio.create_task(lifetime._beat(), name="report to the supervisor"),
            asyncio.create_task(lifetime._obey(), name="messages of the supervisor"),
        ]
        try:
            yield lifetime
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            lifetime._link.close()

    def ready(self, workers: int, head: int, token: str | None) -> None:
        """Report that this worker accepts requests, and how many workers its settings demand."""
        self._link.send(Ready(head, token, workers))

    def is_replaced(self) -> bool:
        """Return whether another worker has taken the place of this one."""
        return self._is_replaced

    async def _beat(self) -> None:
        while True:
            self._link.send(Beat())
            await asyncio.sleep(BEAT_INTERVAL)

    async def _obey(self) -> None:
        async for message in self._link.messages():
            if isinstance(message, Retire):
                self._is_replaced = True
                break
        # The way of every stop, which ends the process in time: also if the supervisor was killed.
        os.kill(os.getpid(), signal.SIGTERM)
