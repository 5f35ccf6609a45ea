"""Accepts connections on a socket on which other processes accept as well, so that each gets about as many.

The system wakes all of them for each connection. An ordinary server accepts all connections that wait, so one process
would get a whole burst. This one accepts one connection in each iteration of its event loop, and lets processes
with fewer connections go first.
"""

import asyncio
import logging
import select
import socket
from collections.abc import Callable
from typing import Final

logger = logging.getLogger(__name__)

MAX_YIELDS: Final = 8
"""The number of iterations of the event loop for which a process with many connections lets others go first."""
BATCH: Final = 4
"""The number of connections after which other processes get time to accept those that wait."""
PAUSE_SECONDS: Final = 0.001
"""How long that is. Nothing waits if no connection does."""
RETRY_SECONDS: Final = 0.5
"""Seconds until connections are accepted again after the system had no resources for one."""


class SharedListener:
    """Accepts connections until it is closed. It has the methods of `asyncio.Server` that uvicorn uses."""

    def __init__(
        self,
        listener: socket.socket,
        create_protocol: Callable[[], asyncio.Protocol],
        count: Callable[[], int],
    ) -> None:
        """`count` returns the number of open connections of this process."""
        self._listener = listener
        self._create_protocol = create_protocol
        self._count = count
        self._loop = asyncio.get_running_loop()
        self._next: asyncio.Handle | None = None
        self._tasks = set[asyncio.Task[object]]()
        self._is_closed = False
        self._accepted = 0
        listener.setblocking(False)
        self._wait()

    def close(self) -> None:
        """Stop accepting connections. Those that wait are accepted by other processes."""
        if not self._is_closed:
            self._is_closed = True
            self._loop.remove_reader(self._listener)
            if self._next is not None:
                self._next.cancel()

    async def wait_closed(self) -> None:
        """Wait until every accepted connection has its protocol."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _wait(self) -> None:
        self._next = None
        self._loop.add_reader(self._listener, self._begin)

    def _begin(self) -> None:
        self._loop.remove_reader(self._listener)
        self._yield(min(self._count(), MAX_YIELDS))

    def _yield(self, times: int) -> None:
        if times and select.select([self._listener], [], [], 0)[0]:
            self._next = self._loop.call_soon(self._yield, times - 1)
        elif times:
            self._wait()
        else:
            self._accept()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            self._wait()
            return
        except OSError as error:  # for example, there are too many open files
            logger.warning("a connection could not be accepted: %s", error)
            self._next = self._loop.call_later(RETRY_SECONDS, self._wait)
            return
        connection.setblocking(False)
        task = self._loop.create_task(
            self._loop.connect_accepted_socket(self._create_protocol, connection), name="accept"
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._accepted += 1
        if self._accepted % BATCH:
            self._next = self._loop.call_soon(self._accept)
        else:
            self._next = self._loop.call_later(PAUSE_SECONDS, self._accept)
