"""An event loop that skips time: if nothing is ready, it advances its clock to the next timer."""

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
            assert timeout is not None, "all tasks wait, and there is no timer"
            self.time += timeout
        return ready


class SkippingLoop(asyncio.SelectorEventLoop):
    """A loop that begins at second 0. Its tasks must not wait for threads or sockets."""

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
    """Return the time of the running loop, in seconds."""
    return asyncio.get_running_loop().time()
