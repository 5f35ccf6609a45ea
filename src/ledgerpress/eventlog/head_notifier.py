"""Waits until the head of the log advances, in this process or in another."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from ledgerpress.eventlog.errors import LogClosed

POLL_INTERVAL: Final = 0.02
"""The default time in seconds between two polls for events of other processes while a caller waits."""


class HeadNotifier:
    """A notifier that wakes waiting callers when the head advances.

    It wakes them immediately after `advance`, after a read of the head for `announce`, and otherwise after a poll.
    """

    def __init__(self, read_head: Callable[[], Awaitable[int]], interval: float = POLL_INTERVAL) -> None:
        """Poll `read_head`, which returns the head that readers see, every `interval` seconds while a caller waits."""
        self._read_head = read_head
        self._interval = interval
        self._head = 0
        self._read_at = -math.inf
        self._announced = asyncio.Event()
        self._waiting: dict[asyncio.Future[bool], int] = {}
        self._poller: asyncio.Task[None] | None = None
        self._closed = False

    async def wait_beyond(self, position: int, timeout: float) -> bool:
        """Wait at most `timeout` seconds until the head is beyond `position`; return whether it is.

        Raises `LogClosed` if the log is closed meanwhile.
        """
        self._check_open()
        loop = asyncio.get_running_loop()
        is_recent = loop.time() < self._read_at + min(self._interval, POLL_INTERVAL)
        if self._head <= position and (self._announced.is_set() or not is_recent):
            await self._read()
        if self._head > position:
            return True
        self._check_open()
        is_beyond: asyncio.Future[bool] = loop.create_future()
        self._waiting[is_beyond] = position
        if self._poller is None:
            self._poller = loop.create_task(self._poll())
        expiry = loop.call_later(timeout, _settle, is_beyond, False)
        try:
            return await is_beyond
        finally:
            expiry.cancel()
            self._waiting.pop(is_beyond, None)

    def _check_open(self) -> None:
        if self._closed:
            raise LogClosed("the log was closed")

    def advance(self, head: int) -> None:
        """Note that the head is at `head` or beyond, and wake the callers that wait for it."""
        if head > self._head:
            self._head = head
            for is_beyond, position in self._waiting.items():
                if position < head:
                    _settle(is_beyond, True)

    def announce(self, head: int) -> None:
        """Read the head soon if `head` is new: the announcement of another process may be wrong."""
        if head > self._head:
            self._announced.set()

    async def close(self) -> None:
        """Raise `LogClosed` in all waiting callers, and in all later calls of `wait_beyond`."""
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
                        await self._announced.wait()
                self._announced.clear()
                await self._read()
        except Exception as error:  # noqa: BLE001 - every waiting caller gets the error, of any class
            self._fail(error)
        finally:
            self._poller = None

    async def _read(self) -> None:
        head = await self._read_head()
        self._read_at = asyncio.get_running_loop().time()
        self.advance(head)

    def _fail(self, error: Exception) -> None:
        for is_beyond in self._waiting:
            if not is_beyond.done():
                is_beyond.set_exception(error)


def _settle(is_beyond: asyncio.Future[bool], result: bool) -> None:
    if not is_beyond.done():
        is_beyond.set_result(result)
