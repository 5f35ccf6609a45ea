"""Receives SIGTERM, SIGINT and SIGHUP in a thread of its own, and ends the process in time, whatever it waits for.

An event loop calls its signal handlers only between two callbacks, and Python only between two instructions of the main
thread. So a wait for a lock or a disk would delay both. The signals are blocked in all other threads. libuv, which
starts the processes of uvloop, unblocks them in each new process.
"""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Self

logger = logging.getLogger(__name__)

CLOSE_SECONDS: Final = 1.0
"""Seconds to close the store, after the time for requests in progress. Then the process ends without closing it.

Nothing that was acknowledged is lost: the log and the views are recovered at the next start, as after a crash.
"""
FORCED_SECONDS: Final = 0.5
"""Seconds to close the store after a second signal."""
_LOGGING_SECONDS: Final = 0.2
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """The signals that stop this process. Within its `with` block, no other thread of the process receives them.

    After the block, the process receives them as before, unless one has arrived: then the process must end.

    A signal that the process ignores, as SIGHUP under `nohup`, stays ignored: `sigwait` would receive it if it was
    blocked.

    MUST be used in the main thread, inside the event loop, before any other thread starts.
    """

    def __init__(self, seconds: float, hurry: signal.Signals | None = None) -> None:
        """`seconds` is how long the process may run after the first signal, without `CLOSE_SECONDS`.

        A signal cancels the current task until `on_signal` is called. If `hurry` is a signal, only this one counts as a
        further one; repeated others have no effect.
        """
        self.received = 0
        """The number of signals received."""
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        self._action: Callable[[], object] = task.cancel if task else self._loop.stop
        self._signals = [number for number in _SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
        self._hurry = hurry
        if hurry is not None:
            self._signals.append(hurry)
        self._thread = threading.Thread(target=self._receive, name="stop signals", daemon=True)
        self._is_released = False

    def __enter__(self) -> Self:
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, self._signals)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.received or not self._signals or self._thread.ident is None:
            return
        self._is_released = True
        signal.pthread_kill(self._thread.ident, self._signals[0])
        self._thread.join()
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def on_signal(self, action: Callable[[], object]) -> None:
        """Call `action` in the event loop at each signal, from now on."""
        self._action = action

    def _receive(self) -> None:
        limit = self._seconds + CLOSE_SECONDS
        while True:
            number = signal.sigwait(self._signals)
            if self._is_released:
                return
            if self.received and self._hurry not in (None, number):
                continue
            self.received += 1
            timer = threading.Timer(limit, _end_process, [self.received, limit])
            timer.daemon = True
            timer.start()
            limit = FORCED_SECONDS
            with suppress(RuntimeError):  # the event loop is closed
                self._loop.call_soon_threadsafe(self._action)


def _end_process(signals: int, seconds: float) -> None:
    reason = "after the signal" if signals == 1 else "after a further signal"
    message = "the process ends without closing the store: this took longer than %g s %s"
    # Standard error may be blocked too.
    note = threading.Thread(target=logger.warning, args=(message, seconds, reason), daemon=True)
    note.start()
    note.join(_LOGGING_SECONDS)
    os._exit(0)
