"""Nodes announce to each other how far the log has grown, so that they need not poll it; and ask each other to pause.

These are plain messages that are not stored: a node that misses one polls a moment later, and a node that receives one
verifies it, since any user who may publish here can announce. An append that guards a stream without writing to it can
only be recorded while nothing else is (see `append_preparation`). So if others write constantly, it asks them to pause
for a moment. No guarantee depends on whether they do.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from nats.aio.msg import Msg

from ledgerpress.adapters.jetstream.connection_and_request_reply import Connection, NotSent

BATCH_DELAY: Final = 0.002
"""Seconds within which appends are announced by one message."""
MAX_PAUSE: Final = 1.0
"""Seconds for which other nodes pause, unless they are asked to resume earlier."""
_PAUSE: Final = b"hush"
_RESUME: Final = b"go on"


class HeadBroadcast:
    """Announces the appends of this node, and receives the announcements of the others."""

    def __init__(self, connection: Connection, subject: str, announce: Callable[[int], None]) -> None:
        """Call `announce` with every announced position, which may be wrong."""
        self._connection = connection
        self._subject = subject
        self._announce = announce
        self._position = 0
        self._sending: asyncio.Task[None] | None = None
        self._resumed: asyncio.Event | None = None

    async def listen(self) -> None:
        """Receive the announcements of others from now on."""
        await self._connection.subscribe(self._subject, self._on_message)

    def send(self, position: int) -> None:
        """Announce that the log has grown to `position`."""
        self._position = max(self._position, position)
        if self._sending is None:
            self._sending = asyncio.get_running_loop().create_task(self._send_position())

    async def wait_until_resumed(self) -> None:
        """Wait while a node has asked the others to pause."""
        if self._resumed is not None:
            await self._resumed.wait()

    @asynccontextmanager
    async def others_paused(self) -> AsyncIterator[None]:
        """Ask all nodes, including this one, not to start appends in the context: for `MAX_PAUSE` seconds at most."""
        await self._send(_PAUSE)
        try:
            yield
        finally:
            await self._send(_RESUME)

    async def close(self) -> None:
        self._resume()
        if self._sending is not None:
            await asyncio.wait([self._sending])

    async def _send_position(self) -> None:
        await asyncio.sleep(BATCH_DELAY)
        self._sending = None
        await self._send(str(self._position).encode())

    async def _send(self, data: bytes) -> None:
        with suppress(NotSent):
            await self._connection.send(self._subject, data)

    def _resume(self) -> None:
        if self._resumed is not None:
            self._resumed.set()
            self._resumed = None

    async def _on_message(self, message: Msg) -> None:
        if message.data == _PAUSE:
            if self._resumed is None:
                self._resumed = asyncio.Event()
                asyncio.get_running_loop().call_later(MAX_PAUSE, self._resume)
        elif message.data == _RESUME:
            self._resume()
        else:
            with suppress(ValueError):
                self._announce(int(message.data))
