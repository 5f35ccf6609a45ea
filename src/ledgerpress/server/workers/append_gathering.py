"""Gathers the appends of several processes, so that they share about as few transactions as those of one process.

The commands of one process arrive at its log together, because its event loop runs them together. Those of several
processes arrive one after the other. So a transaction begins only when about as many appends have arrived as the last
one had, or after a part of the time that the last one took. A single client never waits.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

MAX_SHARE: Final = 1.0
"""The longest wait, as a share of the time that the last transaction took."""
MAX_SECONDS: Final = 0.004
"""The longest wait in seconds."""
MAX_PAUSE: Final = 4.0
"""If the last transaction ended longer ago than this number of times its duration, nothing is waited for."""


class AppendGathering:
    """Lets appends begin together."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: list[asyncio.Future[None]] = []
        self._running = 0
        self._size = 0
        self._began = self._ended = self._loop.time()
        self._release: asyncio.Handle | None = None

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until the append can begin; it ends with the context."""
        await self._admitted()
        try:
            yield
        finally:
            self._leave()

    async def _admitted(self) -> None:
        turn = self._loop.create_future()
        self._waiting.append(turn)
        if not self._running:
            self._schedule()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave()
            raise

    def _schedule(self) -> None:
        """Let the waiting appends begin soon: at once if there are enough of them."""
        now = self._loop.time()
        duration = self._ended - self._began
        is_enough = len(self._waiting) >= self._size or now - self._ended > MAX_PAUSE * duration
        if self._release is not None:
            if not is_enough:
                return
            self._release.cancel()
        if is_enough:
            self._release = self._loop.call_soon(self._begin)
        else:
            self._release = self._loop.call_later(min(duration * MAX_SHARE, MAX_SECONDS), self._begin)

    def _begin(self) -> None:
        self._release = None
        turns = [turn for turn in self._waiting if not turn.done()]
        self._waiting.clear()
        self._running = self._size = len(turns)
        self._began = self._loop.time()
        for turn in turns:
            turn.set_result(None)

    def _leave(self) -> None:
        self._running -= 1
        if not self._running:
            self._ended = self._loop.time()
            if self._waiting:
                self._schedule()
