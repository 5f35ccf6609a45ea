"""The checkpoints of the projections as known to a process, and the tasks that wait until they have advanced."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Final

from ledgerpress.views.projection.checkpoints import Checkpoint

_POLL_INTERVAL: Final = 1.0
"""Seconds after which a wait ends when nothing will advance."""


class ProjectionProgress:
    """The known checkpoints, and the tasks that wait for a position."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[None], Callable[[], bool]] = {}
        self._released = False
        self.changes = 0
        """The number of times that a projection has advanced, paused or resumed."""
        self.read_to = 0
        """The position up to which this process knows all events that change what it has in memory: withdrawals."""
        self.set({})

    def set(self, points: Mapping[str, Checkpoint]) -> None:
        """Set the checkpoints without waking any task."""
        running = running_positions(points)
        self.points = dict(points)
        self.reached = min(running or [max([point.position for point in points.values()], default=0)])
        """The position that every projection that is not paused has reached."""
        self.all_paused, self.any_paused = not running, len(running) < len(points)

    def note(self, points: Mapping[str, Checkpoint]) -> None:
        """Set the checkpoints, and wake the tasks that waited for them."""
        self.set(points)
        self.changes += 1
        self._wake()

    def release(self) -> None:
        """Wake all waiting tasks: the views are no longer followed."""
        self._released = True
        self._wake()

    async def wait_for(self, position: int, timeout: float, names: Collection[str] = ()) -> bool:
        """Wait until the named projections, or all, have reached `position`; return whether they have.

        `timeout` is in seconds. The method does not wait for a paused projection.
        """
        if await self._wait_until(lambda: not self._is_behind(position, names, paused=False), timeout):
            return not self._is_behind(position, names, paused=True)
        return False

    async def wait_for_change(self, after: int, timeout: float) -> None:
        """Wait for at most `timeout` seconds until `changes` is no longer `after`."""
        if self._released:
            await asyncio.sleep(min(timeout, _POLL_INTERVAL))
            return
        await self._wait_until(lambda: self.changes != after, timeout)

    async def _wait_until(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait for at most `timeout` seconds until `condition` is true or nothing is followed; return whether."""
        if condition() or self._released:
            return True
        loop = asyncio.get_running_loop()
        woken = loop.create_future()
        self._waiting[woken] = condition
        expiry = loop.call_later(timeout, _settle, woken)
        try:
            await woken
        finally:
            expiry.cancel()
            self._waiting.pop(woken, None)
        return condition() or self._released

    def _wake(self) -> None:
        """Wake the tasks whose condition is true."""
        for woken, condition in self._waiting.items():
            if self._released or condition():
                _settle(woken)

    def _is_behind(self, position: int, names: Collection[str], *, paused: bool) -> bool:
        """Return whether a projection has not reached `position`; paused projections count only with `paused`."""
        if position <= self.reached and not (paused and self.any_paused):
            return False
        for name, point in self.points.items():
            if point.position < position and (not names or name in names) and (paused or point.error is None):
                return True
        return False


def running_positions(points: Mapping[str, Checkpoint]) -> list[int]:
    """Return the positions of the projections that are not paused."""
    return [point.position for point in points.values() if point.error is None]


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
