"""An event loop that skips time: if there is nothing to do until a timer is due, the timer is due at once."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Skipping(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everybody waits, and nothing is going to happen"
            self.time += timeout
        return ready


class SkippingLoop(asyncio.SelectorEventLoop):
    """A loop that begins at second 0. Nothing in it may wait for threads or sockets."""

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.time


def run_skipping(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` in a loop whose time is skipped."""
    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        return runner.run(main)


def now() -> float:
    """The running loop's time, in seconds."""
    return asyncio.get_running_loop().time()
