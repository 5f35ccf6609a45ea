"""Waiting for the head of the log to move, whoever moves it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from ledgerpress.eventlog.errors import LogClosed

INTERVAL: Final = 0.02
"""Seconds between two looks at the log, while somebody waits, for what other processes have recorded: by default."""


class HeadNotifier:
    """Wakes those who wait: at once for what it knows, after a look for what it heard, after an interval for the rest."""

    def __init__(self, look: Callable[[], Awaitable[int]], interval: float = INTERVAL) -> None:
        """Take `look`, which returns the head as the log's readers see it, and the seconds between two looks."""
        self._look = look
        self._interval = interval
        self._head = 0
        self._rumour = asyncio.Event()
        self._waiting: dict[asyncio.Future[bool], int] = {}
        self._poller: asyncio.Task[None] | None = None
        self._closed = False

    async def beyond(self, position: int, timeout: float) -> bool:
        """Wait at most `timeout` seconds until the head is beyond `position`; return whether it is.

        Raises `LogClosed` when the log is closed meanwhile.
        """
        if self._head <= position:
            self.advance(await self._look())
        if self._head > position:
            return True
        if self._closed:
            raise LogClosed("the log was closed")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bool] = loop.create_future()
        self._waiting[answer] = position
        if self._poller is None:
            self._poller = loop.create_task(self._poll())
        expiry = loop.call_later(timeout, _settle, answer, False)
        try:
            return await answer
        finally:
            expiry.cancel()
            self._waiting.pop(answer, None)

    def advance(self, head: int) -> None:
        """Note that the head is at `head`, or further."""
        if head > self._head:
            self._head = head
            for answer, position in self._waiting.items():
                if position < head:
                    _settle(answer, True)

    def hear(self, head: int) -> None:
        """Look now, if that is news: somebody says that the head is at `head`, who need not be right."""
        if head > self._head:
            self._rumour.set()

    async def close(self) -> None:
        """Wake everybody with `LogClosed`, also whoever is only about to wait."""
        self._closed = True
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.wait([self._poller])
        self._fail(LogClosed("the log was closed"))

    async def _poll(self) -> None:
        try:
            while self._waiting:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._interval):
                        await self._rumour.wait()
                self._rumour.clear()
                self.advance(await self._look())
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait are told
            self._fail(error)
        finally:
            self._poller = None

    def _fail(self, error: Exception) -> None:
        for answer in self._waiting:
            if not answer.done():
                answer.set_exception(error)


def _settle(answer: asyncio.Future[bool], outcome: bool) -> None:
    if not answer.done():
        answer.set_result(outcome)
