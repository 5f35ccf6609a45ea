"""Nodes tell one another how far the log has grown, so that nobody has to look for it all the time; and ask for quiet.

These are plain messages that nobody stores: who misses one looks a moment later, and whoever hears one looks whether it is
so, since anybody may ring who may publish here. An append that guards a stream which it does not write to can only be recorded while nobody else records anything (see `appending`), so where others write all
the time it asks them to hold back for a moment. Nothing that is promised hangs on whether they do.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from nats.aio.msg import Msg

from ledgerpress.adapters.jetstream.connection import Connection, NotSent

TOGETHER: Final = 0.002
"""Seconds within which appends are told of by one message."""
QUIET: Final = 1.0
"""Seconds for which others hold back, unless they are told sooner that they may go on."""
_HUSH: Final = b"hush"
_GO_ON: Final = b"go on"


class HeadBroadcast:
    """Rings when this node has appended, and hears the others."""

    def __init__(self, connection: Connection, subject: str, grown: Callable[[int], None]) -> None:
        """Call `grown` with the position of which somebody tells, who need not be right."""
        self._connection = connection
        self._subject = subject
        self._grown = grown
        self._position = 0
        self._ringing: asyncio.Task[None] | None = None
        self._go_on: asyncio.Event | None = None

    async def listen(self) -> None:
        """Hear the others from now on."""
        await self._connection.subscribe(self._subject, self._hear)

    def ring(self, position: int) -> None:
        """Tell the others that the log has come to `position`."""
        self._position = max(self._position, position)
        if self._ringing is None:
            self._ringing = asyncio.get_running_loop().create_task(self._ring())

    @property
    def is_quiet(self) -> bool:
        """Whether somebody has asked for quiet."""
        return self._go_on is not None

    async def noise(self) -> None:
        """Wait until appends may go on."""
        if self._go_on is not None:
            await self._go_on.wait()

    @asynccontextmanager
    async def quiet(self) -> AsyncIterator[None]:
        """Have all nodes, this one too, begin no appends meanwhile: for `QUIET` seconds at most."""
        await self._tell(_HUSH)
        try:
            yield
        finally:
            await self._tell(_GO_ON)

    async def close(self) -> None:
        """Ring no more."""
        self._end_quiet()
        if self._ringing is not None:
            await asyncio.wait([self._ringing])

    async def _ring(self) -> None:
        await asyncio.sleep(TOGETHER)
        self._ringing = None
        await self._tell(str(self._position).encode())

    async def _tell(self, what: bytes) -> None:
        with suppress(NotSent):
            await self._connection.send(self._subject, what)

    def _end_quiet(self) -> None:
        if self._go_on is not None:
            self._go_on.set()
            self._go_on = None

    async def _hear(self, message: Msg) -> None:
        if message.data == _HUSH:
            if self._go_on is None:
                self._go_on = asyncio.Event()
                asyncio.get_running_loop().call_later(QUIET, self._end_quiet)
        elif message.data == _GO_ON:
            self._end_quiet()
        else:
            self._hear_position(message)

    def _hear_position(self, message: Msg) -> None:
        with suppress(ValueError):
            self._grown(int(message.data))
