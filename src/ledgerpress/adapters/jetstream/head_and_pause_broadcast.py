"""Broadcasts between nodes: announcements of the log's new head, and requests to pause appends.

Announcements save polling. They are plain messages that are not stored: a node that misses one polls a moment later. A
node that receives one verifies it, since any user who may publish to the subject can send one.

An append that guards a stream without writing to it can be recorded only while no other event is recorded (see
`append_preparation`). So if other nodes write constantly, it asks them to pause. No guarantee depends on the pause.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from nats.aio.msg import Msg

from ledgerpress.adapters.jetstream.connection_and_request_reply import Connection, NotSent, Unanswered

BATCH_DELAY: Final = 0.002
"""Seconds for which appends are collected, to announce them with one message."""
MAX_PAUSE: Final = 1.0
"""Seconds after which paused nodes resume, if they are not asked to resume earlier."""
PAUSE: Final = b"hush"
RESUME: Final = b"go on"


class HeadBroadcast:
    """Announces the appends of this node, and receives the announcements of other nodes."""

    def __init__(self, connection: Connection, subject: str, announce: Callable[[int], None]) -> None:
        """Call `announce` with each position that a node announces. The position may be wrong."""
        self._connection = connection
        self._subject = subject
        self._announce = announce
        self._position = 0
        self._sending: asyncio.Task[None] | None = None
        self._resumed: asyncio.Event | None = None

    async def listen(self) -> None:
        """Start to receive the broadcasts of all nodes."""
        await self._connection.subscribe(self._subject, self._on_message)

    def send(self, position: int) -> None:
        """Announce that the log has grown to `position`."""
        self._position = max(self._position, position)
        if self._sending is None:
            self._sending = asyncio.get_running_loop().create_task(self._send_position())

    async def wait_until_resumed(self) -> None:
        """If a node has asked for a pause, wait until it ends."""
        if self._resumed is not None:
            await self._resumed.wait()

    @asynccontextmanager
    async def others_paused(self) -> AsyncIterator[None]:
        """Ask all nodes, including this one, to start no appends in this context, for at most `MAX_PAUSE` seconds."""
        await self._send(PAUSE)
        try:
            yield
        finally:
            await self._send(RESUME)

    async def close(self) -> None:
        self._resume()
        if self._sending is not None:
            await asyncio.wait([self._sending])

    async def _send_position(self) -> None:
        await asyncio.sleep(BATCH_DELAY)
        self._sending = None
        await self._send(str(self._position).encode())

    async def _send(self, data: bytes) -> None:
        with suppress(NotSent, Unanswered):
            await self._connection.send(self._subject, data)

    def _resume(self) -> None:
        if self._resumed is not None:
            self._resumed.set()
            self._resumed = None

    async def _on_message(self, message: Msg) -> None:
        if message.data == PAUSE:
            if self._resumed is None:
                self._resumed = asyncio.Event()
                asyncio.get_running_loop().call_later(MAX_PAUSE, self._resume)
        elif message.data == RESUME:
            self._resume()
        else:
            with suppress(ValueError):
                self._announce(int(message.data))
