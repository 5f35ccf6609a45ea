"""Supervises the workers of one server: starts them, replaces those that end or hang, reloads and stops them.

The supervisor holds the listening sockets, which all workers share. So a connection that no worker has accepted yet
outlives every worker, and another one accepts it. The supervisor itself opens neither the log nor the views.

| Signal | Effect |
| --- | --- |
| SIGTERM, SIGINT | all workers finish their requests and end, then the supervisor |
| a second one | they no longer wait for requests |
| SIGHUP | reload: each worker is replaced by a new one, with settings (also the number of workers) and code as of then |
"""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Collection, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final

from ledgerpress.retry import Backoff
from ledgerpress.server.workers.fork_server_process import ForkServerProcess, ForkServerUnavailable
from ledgerpress.server.workers.memory_marks import delete_mark
from ledgerpress.server.workers.socket_directory import delete_socket
from ledgerpress.server.workers.supervision_messages import HURRY, Ready
from ledgerpress.server.workers.worker_process import WorkerProcess, end_in_words

logger = logging.getLogger(__name__)

CHECK_INTERVAL: Final = 0.25
"""Seconds between two checks whether a worker hangs."""
START_SECONDS: Final = 60.0
"""Seconds for which a worker may do nothing until it has accepted requests."""
_RESTARTS: Final = Backoff(first=0.2, longest=10.0)
"""Delays before a worker is replaced that has never accepted requests."""
_ATTEMPTS: Final = 3
"""How often a worker is forked, each time by a new fork server, if the former one ends or hangs."""
_END_SECONDS: Final = 1.0
"""Seconds in which fork servers without workers end."""
_FAILED: Final = 1


class _NotStarted(Exception):
    """A worker could not be started. The message states why. `code` is the exit code of the program that failed."""

    def __init__(self, why: str, code: int = _FAILED) -> None:
        super().__init__(why)
        self.code = code


class _Slot:
    """The place of one worker: when it ends, another one takes it."""

    def __init__(self, worker: WorkerProcess) -> None:
        self.worker = worker
        self.changing = asyncio.Lock()
        """Held while another worker takes the place."""
        self.keeper: asyncio.Task[None] | None = None
        """Starts another worker when this one ends."""


class Supervisor:
    """The supervisor of some workers on `listeners`. `sockets` is the directory of the workers' sockets."""

    def __init__(
        self,
        program: Sequence[str],
        listeners: Sequence[socket.socket],
        sockets: Path,
        store: str,
        *,
        workers: int,
        hang_seconds: float,
        stop_seconds: float,
        announce: Callable[[int, str | None], None],
    ) -> None:
        """`program` is the command that starts a fork server, and so the workers; `store` is where their store is.

        A worker that does not report for `hang_seconds` is killed, and so is one that does not stop within
        `stop_seconds`. `announce` is called with the position of the log and the first admin token when all workers
        accept requests.
        """
        self._program = program
        self._listeners = listeners
        self._sockets = sockets
        self._store = store
        self._count = workers
        self._hang_seconds = hang_seconds
        self._stop_seconds = stop_seconds
        self._announce = announce
        self._slots: list[_Slot] = []
        self._fork_server: ForkServerProcess | None = None
        self._fork_servers = set[ForkServerProcess]()
        """All that run, also those whose workers are being replaced."""
        self._spawning = asyncio.Lock()
        self._running = set[WorkerProcess]()
        self._ending = set[asyncio.Task[None]]()
        self._numbers = count(1)
        self._had_terminal = _has_terminal()
        self._stopping = asyncio.Event()
        self._started = asyncio.Event()
        self._reload_requested = asyncio.Event()

    async def run(self) -> int:
        """Supervise until a signal; return the exit code: that of the first worker if it cannot start."""
        loop = asyncio.get_running_loop()
        actions = {signal.SIGTERM: self._stop, signal.SIGINT: self._stop, signal.SIGHUP: self._hang_up}
        for number, action in actions.items():
            if signal.getsignal(number) != signal.SIG_IGN:  # as SIGHUP under nohup
                loop.add_signal_handler(number, action)
        checking = asyncio.create_task(self._check_beats(), name="check whether workers hang")
        reloading = asyncio.create_task(self._reload_when_requested(), name="reload")
        try:
            code = await self._start()
            self._started.set()
            await self._stopping.wait()
        finally:
            tasks = [reloading, *(slot.keeper for slot in self._slots if slot.keeper is not None)]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await self._end(self._running, lambda worker: worker.signal(signal.SIGTERM))
            checking.cancel()
            await self._end_fork_servers()
        return code

    async def _start(self) -> int:
        """Start all workers. If the first one fails, begin to stop, and return its exit code."""
        try:
            # Only one builds the views, creates a new log, and finds what prevents all others from starting.
            first = await self._spawn()
            ready = await self._until_ready(first)
            if ready is None:
                if self._stopping.is_set():
                    return 0
                self._stopping.set()
                return first.ended.result() or _FAILED
            for worker in (first, *[await self._spawn() for _ in range(self._count - 1)]):
                self._occupy(worker)
        except _NotStarted as error:
            if not self._stopping.is_set():
                logger.error("the server ends: %s", error)  # noqa: TRY400 - the error states its cause
            self._stopping.set()
            return error.code
        for slot in self._slots:
            await self._until_ready(slot.worker)
        if not self._stopping.is_set():
            self._announce(ready.head, ready.token)
        return 0

    async def _spawn(self) -> WorkerProcess:
        """Start a worker. Raises `_NotStarted`."""
        async with self._spawning:
            for _ in range(_ATTEMPTS):
                server = self._fork_server
                if server is None or server.ended.done():
                    if server is not None:
                        end = end_in_words(server.ended.result())
                        logger.warning("the process that forks workers %s: another one is started", end)
                    server = self._fork_server = await self._new_fork_server()
                try:
                    worker = await server.fork(next(self._numbers))
                except ForkServerUnavailable as error:
                    logger.warning("%s: it is killed", error)
                    await server.ended
                    continue
                except OSError as error:
                    raise _NotStarted(str(error)) from error
                self._running.add(worker)
                worker.ended.add_done_callback(partial(self._forget, worker))
                return worker
        raise _NotStarted("processes that fork workers end at once")

    def _forget(self, worker: WorkerProcess, _: object) -> None:
        self._running.discard(worker)
        delete_mark(self._sockets, worker.number)
        delete_socket(self._sockets, worker.number)

    async def _new_fork_server(self) -> ForkServerProcess:
        """Return a fork server that is prepared, with the settings and the code as they are now. Raises `_NotStarted`."""
        try:
            server = await ForkServerProcess.start(self._program, self._listeners, self._sockets, self._store)
        except OSError as error:
            raise _NotStarted(str(error)) from error
        self._fork_servers.add(server)
        server.ended.add_done_callback(lambda _: self._fork_servers.discard(server))
        if await self._until(server.prepared, server.ended, START_SECONDS):
            return server
        if self._stopping.is_set():
            server.kill()
            raise _NotStarted("the server stops", 0)
        if not server.ended.done():
            server.kill()
            raise _NotStarted(f"the process that forks workers was not prepared within {START_SECONDS:.0f} s")
        code = server.ended.result()
        raise _NotStarted(f"the process that forks workers {end_in_words(code)}", code or _FAILED)

    async def _until_ready(self, worker: WorkerProcess) -> Ready | None:
        """Wait until a worker accepts requests; return `None` if it ends before, or if the supervisor stops."""
        await self._until(worker.ready, worker.ended)
        return worker.ready.result() if worker.is_ready else None

    async def _until(
        self, event: asyncio.Future[Any], end: asyncio.Future[Any], timeout: float | None = None
    ) -> bool:
        """Wait for an event of a process; return false if the process ends before, or the supervisor stops."""
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait([event, end, stopping], timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
        return event.done() and not event.cancelled() and not end.done()

    def _occupy(self, worker: WorkerProcess) -> None:
        slot = _Slot(worker)
        self._slots.append(slot)
        slot.keeper = asyncio.create_task(self._keep(slot), name="keep a worker running")

    async def _keep(self, slot: _Slot) -> None:
        """Whenever the worker of the slot has ended, start another one in its place."""
        delays = _RESTARTS.delays()
        while True:
            worker = slot.worker
            await asyncio.wait([worker.ended])
            if slot.worker is not worker:
                continue
            logger.error("%s %s; another worker takes its place", worker, end_in_words(worker.ended.result()))
            if worker.is_ready:
                delays = _RESTARTS.delays()
            else:
                await asyncio.sleep(next(delays))
            while slot.worker is worker and not await self._fill(slot):  # noqa: ASYNC110 - no event shows it
                await asyncio.sleep(next(delays))

    async def _fill(self, slot: _Slot) -> bool:
        """Start a worker in the place of one that has ended, unless that has happened; return whether there is one."""
        async with slot.changing:
            if slot.worker.ended.done():
                try:
                    slot.worker = await self._spawn()
                except _NotStarted as error:  # for example, there are too many processes
                    logger.error("a worker cannot be started: %s", error)  # noqa: TRY400 - the error states its cause
                    return False
        return True

    async def _reload_when_requested(self) -> None:
        await self._started.wait()
        while True:
            await self._reload_requested.wait()
            self._reload_requested.clear()
            logger.info("reloading: each worker is replaced by a new one")
            try:
                new = await self._new_fork_server()
            except _NotStarted as error:
                logger.error("the reload has ended: %s; the workers continue", error)  # noqa: TRY400
                continue
            old, self._fork_server = self._fork_server, new
            if old is not None:
                old.retire()
            for slot in self._slots:
                if not await self._replace(slot):
                    logger.error("the reload has ended: the workers that were not replaced continue")
                    break
            else:
                logger.info("all workers are replaced")
                await self._resize(self._slots[-1].worker.ready.result().workers)

    async def _replace(self, slot: _Slot) -> bool:
        """Start a new worker, and retire the old one when the new one accepts requests; return whether it does."""
        async with slot.changing:
            try:
                new = await self._spawn()
            except _NotStarted as error:
                logger.error("a worker cannot be started: %s", error)  # noqa: TRY400 - the error states its cause
                return False
            if await self._until_ready(new) is None:
                if not self._stopping.is_set():
                    logger.error("%s %s before it accepted requests", new, end_in_words(await new.ended))
                return False
            old, slot.worker = slot.worker, new
        self._retire(old)
        return True

    async def _resize(self, count: int) -> None:
        """Start or retire workers until there are `count`."""
        while len(self._slots) < count:
            try:
                worker = await self._spawn()
            except _NotStarted as error:
                logger.error("a worker cannot be started: %s", error)  # noqa: TRY400 - the error states its cause
                return
            self._occupy(worker)
            await self._until_ready(worker)
        while len(self._slots) > count:
            slot = self._slots.pop()
            if slot.keeper is not None:
                slot.keeper.cancel()
            self._retire(slot.worker)

    def _retire(self, worker: WorkerProcess) -> None:
        """Let a worker end, without waiting until clients have closed the connections that they keep alive."""
        ending = asyncio.create_task(self._end([worker], WorkerProcess.retire), name=f"end of {worker}")
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def _end(self, workers: Collection[WorkerProcess], end: Callable[[WorkerProcess], None]) -> None:
        """Let workers end, and kill those that take too long."""
        ending = [worker.ended for worker in workers]
        for worker in tuple(workers):
            end(worker)
        if ending:
            _, late = await asyncio.wait(ending, timeout=self._stop_seconds)
            for worker in tuple(self._running):
                if worker.ended in late:
                    logger.error("%s does not stop: it is killed", worker)
                    worker.kill()
            await asyncio.wait(ending)

    async def _end_fork_servers(self) -> None:
        ending = {server.ended: server for server in self._fork_servers}
        for server in ending.values():
            server.retire()
        if ending:
            _, late = await asyncio.wait(ending, timeout=_END_SECONDS)
            for ended in late:
                ending[ended].kill()
            await asyncio.wait(ending)

    async def _check_beats(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + CHECK_INTERVAL
            await asyncio.sleep(CHECK_INTERVAL)
            late = loop.time() - due
            for worker in tuple(self._running):
                # While this process does not run either, the machine is asleep or overloaded.
                worker.beat_at += late
                # While a worker imports what it needs, its event loop does not run.
                limit = self._hang_seconds if worker.is_ready else max(START_SECONDS, self._hang_seconds)
                if (silence := loop.time() - worker.beat_at) > limit:
                    logger.error("%s has not reported for %.1f s: it hangs, and is killed", worker, silence)
                    worker.kill()

    def _stop(self) -> None:
        if not self._stopping.is_set():
            logger.info("stopping: waiting for requests in progress")
            self._stopping.set()
            return
        for worker in self._running:
            worker.signal(HURRY)

    def _hang_up(self) -> None:
        if self._had_terminal and not _has_terminal():
            self._stop()  # the terminal was closed
        else:
            self._reload_requested.set()


def _has_terminal() -> bool:
    """Return whether this process has a terminal, which sends SIGHUP when it is closed."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
