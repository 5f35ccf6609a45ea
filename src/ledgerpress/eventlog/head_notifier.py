"""Waits until the head of the log advances, in this process or in another."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from ledgerpress.eventlog.errors import LogClosed

POLL_INTERVAL: Final = 0.02
"""The default time in seconds between two polls for events of other processes while a caller waits."""
_MAX_SKIPPED_POLLS: Final = 5
"""The number of polls in a row that are skipped while this process appends."""


class HeadNotifier:
    """A notifier that wakes waiting callers when the head advances.

    It wakes them immediately after `advance`, after a read of the head for `announce`, and otherwise after a poll.
    """

    def __init__(
        self,
        read_head: Callable[[], Awaitable[int]],
        interval: float = POLL_INTERVAL,
        is_appending: Callable[[], bool] = lambda: False,
    ) -> None:
        """Poll `read_head`, which returns the head that readers see, every `interval` seconds while a caller waits.

        While this process `is_appending`, it will soon advance the head itself, so some polls are skipped. Otherwise a
        caller could read an append in the log before this process has its result.
        """
        self._read_head = read_head
        self._interval = interval
        self._is_appending = is_appending
        self._head = 0
        self._reads = 0
        self._announced = asyncio.Event()
        self._waiting: dict[asyncio.Future[bool], int] = {}
        self._poller: asyncio.Task[None] | None = None
        self._closed = False

    async def wait_beyond(self, position: int, timeout: float) -> bool:
        """Wait at most `timeout` seconds until the head is beyond `position`; return whether it is.

        Raises `LogClosed` if the log is closed meanwhile.
        """
        self._check_open()
        reads = self._reads
        if self._head <= position and not self._is_appending():
            await self._read()
        if self._head > position:
            return True
        self._check_open()
        loop = asyncio.get_running_loop()
        is_beyond: asyncio.Future[bool] = loop.create_future()
        self._waiting[is_beyond] = position
        if self._poller is None:
            self._poller = loop.create_task(self._poll())
        expiry = loop.call_later(timeout, _settle, is_beyond, False)
        try:
            if await is_beyond:
                return True
        finally:
            expiry.cancel()
            self._waiting.pop(is_beyond, None)
        if self._reads == reads:
            await self._read()
        return self._head > position

    async def _read(self) -> None:
        self._reads += 1
        self.advance(await self._read_head())

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
        skipped = 0
        try:
            while self._waiting:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._interval):
                        await self._announced.wait()
                self._announced.clear()
                if self._is_appending() and skipped < _MAX_SKIPPED_POLLS:
                    skipped += 1
                    continue
                skipped = 0
                await self._read()
        except Exception as error:  # noqa: BLE001 - every waiting caller gets the error, of any class
            self._fail(error)
        finally:
            self._poller = None

    def _fail(self, error: Exception) -> None:
        for is_beyond in self._waiting:
            if not is_beyond.done():
                is_beyond.set_exception(error)


def _settle(is_beyond: asyncio.Future[bool], result: bool) -> None:
    if not is_beyond.done():
        is_beyond.set_result(result)
