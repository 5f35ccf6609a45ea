"""A fork server as the supervisor sees it."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from ledgerpress.server.workers.supervision_messages import (
    Ended,
    Fork,
    Forked,
    ForkServerStart,
    Link,
    Prepared,
    Retire,
    encoded,
)
from ledgerpress.server.workers.worker_process import WorkerProcess

FORK_SECONDS: Final = 5.0
"""Seconds within which a fork server has to fork."""


class ForkServerUnavailable(Exception):
    """A fork server does not respond, and was killed."""


class ForkServerProcess:
    """A process that was started as a fork server."""

    def __init__(self, process: asyncio.subprocess.Process, connected: socket.socket, link: Link) -> None:
        self._process = process
        self._connected = connected
        self._link = link
        self.prepared: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Set when the process forks workers."""
        self._forked: asyncio.Future[Forked] | None = None
        self._codes: dict[int, asyncio.Future[int | None]] = {}
        self.ended = asyncio.create_task(self._end(), name="end of the fork server")
        """Ends with the exit code of the process."""
        self._listening = asyncio.create_task(self._listen(), name="messages of the fork server")

    @classmethod
    async def start(
        cls, program: Sequence[str], listeners: Sequence[socket.socket], sockets: Path, store: str
    ) -> Self:
        """Start `program` as a fork server. Raises `OSError`.

        It is in a process group of its own: the terminal sends its signals to the supervisor alone.
        """
        own, others = socket.socketpair()
        with others:
            start = ForkServerStart(
                link=others.fileno(),
                listeners=tuple(listener.fileno() for listener in listeners),
                sockets=str(sockets),
                store=store,
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
        return cls(process, own, await Link.over(own))

    async def fork(self, number: int) -> WorkerProcess:
        """Return a new worker. Callers fork one at a time. Raises `ForkServerUnavailable` and `OSError`."""
        own, others = socket.socketpair()
        code = self._codes[number] = asyncio.get_running_loop().create_future()
        self._forked = asyncio.get_running_loop().create_future()
        try:
            with others:
                socket.send_fds(self._connected, [encoded(Fork(number))], [others.fileno()])
            async with asyncio.timeout(FORK_SECONDS):
                forked = await self._forked
        except (TimeoutError, OSError) as error:
            own.close()
            del self._codes[number]
            self.kill()
            raise ForkServerUnavailable("the process that forks workers does not respond") from error
        return WorkerProcess(number, forked.pid, await Link.over(own), code)

    def retire(self) -> None:
        """Let it end as soon as all of its workers have ended."""
        self._link.send(Retire())

    def kill(self) -> None:
        """End the process at once. Its workers continue."""
        if not self.ended.done():
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)

    async def _end(self) -> int:
        code = await self._process.wait()
        self._listening.cancel()
        self._link.close()
        for each in self._codes.values():
            if not each.done():
                each.set_result(None)  # it is unknown from now on
        return code

    async def _listen(self) -> None:
        async for message in self._link.messages():
            match message:
                case Prepared():
                    self.prepared.set_result(None)
                case Forked() if self._forked is not None and not self._forked.done():
                    self._forked.set_result(message)
                case Ended(worker=worker, code=code):
                    ended = self._codes.pop(worker, None)
                    if ended is not None and not ended.done():
                        ended.set_result(code)


def this_command() -> list[str]:
    """Return the command line of this program, to start it again in a new interpreter, with the code as it is then."""
    return [sys.executable, *sys.orig_argv[1:]]
