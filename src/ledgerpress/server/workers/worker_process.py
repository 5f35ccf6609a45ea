"""A worker as its supervisor sees it: a process, whether it accepts requests, and when it last reported."""

import asyncio
import os
import signal
from contextlib import suppress
from typing import Final

from ledgerpress.server.workers.supervision_messages import Link, Ready, Retire

_CODE_SECONDS: Final = 0.5
"""Seconds within which a fork server reports the exit code of a worker that has ended."""


class WorkerProcess:
    """A process that was forked as a worker."""

    def __init__(self, number: int, pid: int, link: Link, code: "asyncio.Future[int | None]") -> None:
        """`code` is set to the exit code when the process has ended, or to `None` if it stays unknown."""
        loop = asyncio.get_running_loop()
        self.number = number
        self._pid = pid
        self._link = link
        self._loop = loop
        self._code = code
        self.beat_at = loop.time()
        """When it started or last reported, by the clock of the event loop."""
        self.ready: asyncio.Future[Ready] = loop.create_future()
        """Set when the worker accepts requests; cancelled if it ends before."""
        self._listening = asyncio.create_task(self._listen(), name=f"messages of worker {number}")
        self.ended = asyncio.create_task(self._end(), name=f"end of worker {number}")
        """Ends with the exit code of the process, or with `None` if it is unknown."""

    def __str__(self) -> str:
        return f"worker {self.number} (process {self._pid})"

    @property
    def is_ready(self) -> bool:
        """Whether it has ever accepted requests."""
        return self.ready.done() and not self.ready.cancelled()

    def retire(self) -> None:
        """Let the worker finish what has begun, and end."""
        self._link.send(Retire())

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the worker, if it runs."""
        if not self.ended.done():
            with suppress(ProcessLookupError):
                os.kill(self._pid, number)

    def kill(self) -> None:
        """End the process at once, also if it is stopped, with the processes that it has started."""
        if not self.ended.done():
            with suppress(ProcessLookupError):
                os.killpg(self._pid, signal.SIGKILL)

    async def _end(self) -> int | None:
        # The system closes its socket with the process. The fork server reports the exit code, unless it has ended.
        await asyncio.wait([self._listening])
        await asyncio.wait([self._code], timeout=_CODE_SECONDS)
        code = self._code.result() if self._code.done() else None
        self.ready.cancel()
        self._listening.cancel()
        self._link.close()
        return code

    async def _listen(self) -> None:
        async for message in self._link.messages():
            self.beat_at = self._loop.time()
            if isinstance(message, Ready) and not self.ready.done():
                self.ready.set_result(message)


def end_in_words(code: int | None) -> str:
    """Describe the exit code of a process."""
    if code is None:
        return "ended"
    if code >= 0:
        return f"ended with the exit code {code}"
    with suppress(ValueError):
        return f"was killed by {signal.Signals(-code).name}"
    return f"was killed by the signal {-code}"
