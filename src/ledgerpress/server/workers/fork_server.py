"""A process that forks the workers of a server: it has imported everything, so a worker starts in a moment.

It has one thread and no event loop, opens nothing of the store, and only forks and reports which workers have ended. Its
workers have the settings and the code with which it was started.
"""

import gc
import os
import select
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from ledgerpress.server.workers.supervision_messages import (
    Ended,
    Fork,
    Forked,
    ForkServerStart,
    Message,
    Prepared,
    Retire,
    Worker,
    decoded,
    encoded,
)

_IGNORED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals that end workers. The fork server ends when the supervisor has ended or retired it, and it has no workers."""
_MAX_MESSAGE_BYTES: Final = 1_024


def forked_worker(start: ForkServerStart) -> Worker:
    """Fork workers for the supervisor. Returns in each worker; raises `SystemExit` in the fork server, at its end."""
    link = socket.socket(fileno=start.link)
    listeners = [socket.socket(fileno=descriptor) for descriptor in start.listeners]
    for opened in (link, *listeners):
        opened.set_inheritable(False)
    # The objects of now are shared with all workers, as long as no search for garbage writes to them.
    gc.collect()
    gc.freeze()
    return _ForkServer(link, listeners, Path(start.sockets)).run()


class _ForkServer:
    def __init__(self, link: socket.socket, listeners: list[socket.socket], directory: Path) -> None:
        self._link: socket.socket | None = link
        self._is_retired = False
        self._listeners = listeners
        self._directory = directory
        self._workers: dict[int, int] = {}
        """The numbers of the running workers, by process id."""

    def run(self) -> Worker:
        handlers = {number: signal.signal(number, signal.SIG_IGN) for number in _IGNORED}
        wakeup, child_ended = socket.socketpair()
        for end in (wakeup, child_ended):
            end.setblocking(False)
        former_wakeup = signal.set_wakeup_fd(child_ended.fileno(), warn_on_full_buffer=False)
        handlers[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        self._send(Prepared())
        while (self._link is not None and not self._is_retired) or self._workers:
            ready, _, _ = select.select([wakeup, *filter(None, [self._link])], [], [])
            if wakeup in ready:
                with suppress(BlockingIOError):
                    wakeup.recv(_MAX_MESSAGE_BYTES)
            self._reap()
            if self._link in ready and (worker := self._next_request()) is not None:
                signal.set_wakeup_fd(former_wakeup)
                for number, handler in handlers.items():
                    signal.signal(number, handler)
                wakeup.close()
                child_ended.close()
                return worker
        sys.exit(0)

    def _next_request(self) -> Worker | None:
        """Receive a request of the supervisor and fork; return the worker in the new process, and `None` in this one."""
        assert self._link is not None  # noqa: S101 - the caller has waited for it
        message, descriptors, _, _ = socket.recv_fds(self._link, _MAX_MESSAGE_BYTES, 1)
        if not message:
            self._link.close()
            self._link = None
            return None
        request = decoded(message)
        if not isinstance(request, Fork):
            self._is_retired |= isinstance(request, Retire)
            return None
        pid = os.fork()
        if pid == 0:
            # The supervisor kills the group: the worker and the processes that it has started.
            os.setpgid(0, 0)
            self._link.close()
            link = socket.socket(fileno=descriptors[0])
            link.set_inheritable(False)
            return Worker(request.worker, link, self._listeners, self._directory)
        with suppress(OSError):  # the worker has done it, or has ended already
            os.setpgid(pid, pid)
        os.close(descriptors[0])
        self._workers[pid] = request.worker
        self._send(Forked(request.worker, pid))
        return None

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                if (worker := self._workers.pop(pid, None)) is not None:
                    self._send(Ended(worker, os.waitstatus_to_exitcode(status)))

    def _send(self, message: Message) -> None:
        if self._link is not None:
            with suppress(OSError):  # the supervisor has ended
                self._link.sendall(encoded(message))
