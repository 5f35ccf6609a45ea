"""A worker as its supervisor sees it: a process, whether it accepts requests, and when it last reported."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from ledgerpress.server.workers.supervision_messages import Begin, Link, Ready, Retire, WorkerStart


class WorkerProcess:
    """A process that was started as a worker."""

    def __init__(self, number: int, process: asyncio.subprocess.Process, link: Link) -> None:
        loop = asyncio.get_running_loop()
        self.number = number
        self._process = process
        self._link = link
        self._loop = loop
        self.beat_at = loop.time()
        """When it started or last reported, by the clock of the event loop."""
        self.ready: asyncio.Future[Ready] = loop.create_future()
        """Set when the worker accepts requests; cancelled if it ends before."""
        self.ended = asyncio.create_task(self._end(), name=f"end of worker {number}")
        """Ends with the exit code of the process."""
        self._listening = asyncio.create_task(self._listen(), name=f"messages of worker {number}")

    @classmethod
    async def start(
        cls, number: int, program: Sequence[str], listeners: Sequence[socket.socket], sockets: Path
    ) -> Self:
        """Start `program` as the worker with this number. Raises `OSError`.

        It is in a process group of its own: the terminal sends its signals to the supervisor alone.
        """
        own, others = socket.socketpair()
        with others:
            start = WorkerStart(
                number=number,
                link=others.fileno(),
                listeners=tuple(listener.fileno() for listener in listeners),
                sockets=str(sockets),
            )
            try:
                process = await asyncio.create_subprocess_exec(
                    *program,
                    env=start.environment(),
                    stdin=asyncio.subprocess.DEVNULL,
                    pass_fds=start.descriptors(),
                    process_group=0,
                )
            except BaseException:
                own.close()
                raise
        return cls(number, process, await Link.over(own))

    def __str__(self) -> str:
        return f"worker {self.number} (process {self._process.pid})"

    @property
    def is_ready(self) -> bool:
        """Whether it has ever accepted requests."""
        return self.ready.done() and not self.ready.cancelled()

    def begin(self) -> None:
        """Let the worker open the store and serve."""
        self._link.send(Begin())

    def retire(self) -> None:
        """Let the worker finish what has begun, and end."""
        self._link.send(Retire())

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the worker, if it runs."""
        if not self.ended.done():
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    def kill(self) -> None:
        """End the process at once, also if it is stopped, with the processes that it has started."""
        if not self.ended.done():
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _end(self) -> int:
        code = await self._process.wait()
        self.ready.cancel()
        self._listening.cancel()
        self._link.close()
        return code

    async def _listen(self) -> None:
        async for message in self._link.messages():
            self.beat_at = self._loop.time()
            if isinstance(message, Ready) and not self.ready.done():
                self.ready.set_result(message)


def this_command() -> list[str]:
    """Return the command line of this program, to start it again in a new interpreter, with the code as it is then."""
    return [sys.executable, *sys.orig_argv[1:]]


def end_in_words(code: int) -> str:
    """Describe the exit code of a process."""
    if code >= 0:
        return f"ended with the exit code {code}"
    with suppress(ValueError):
        return f"was killed by {signal.Signals(-code).name}"
    return f"was killed by the signal {-code}"
