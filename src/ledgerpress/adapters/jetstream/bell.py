"""Nodes tell one another how far the log has grown, so that nobody has to look for it all the time.

It is a plain message that nobody stores: who misses it looks a moment later.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from nats.aio.msg import Msg

from ledgerpress.adapters.jetstream.connection import Connection, NotSent

TOGETHER: Final = 0.002
"""Seconds within which appends are told of by one message."""


class Bell:
    """Rings when this node has appended, and hears the others."""

    def __init__(self, connection: Connection, subject: str, grown: Callable[[int], None]) -> None:
        """Call `grown` with the position of which somebody tells."""
        self._connection = connection
        self._subject = subject
        self._grown = grown
        self._position = 0
        self._ringing: asyncio.Task[None] | None = None

    async def listen(self) -> None:
        """Hear the others from now on."""
        await self._connection.subscribe(self._subject, self._hear)

    def ring(self, position: int) -> None:
        """Tell the others that the log has come to `position`."""
        self._position = max(self._position, position)
        if self._ringing is None:
            self._ringing = asyncio.get_running_loop().create_task(self._ring())

    async def close(self) -> None:
        """Ring no more."""
        if self._ringing is not None:
            await asyncio.wait([self._ringing])

    async def _ring(self) -> None:
        await asyncio.sleep(TOGETHER)
        self._ringing = None
        with suppress(NotSent):
            await self._connection.send(self._subject, str(self._position).encode())

    async def _hear(self, message: Msg) -> None:
        with suppress(ValueError):
            self._grown(int(message.data))
