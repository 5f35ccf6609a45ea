"""The time limit of a request.

A query usually runs on the event loop without a pause, so that a timer alone would fire too late: the executors check the
time at every field and every entry of a list.
"""

import asyncio
import time
from typing import Final

from ledgerpress.graphql.limits.exceeded import LimitExceeded


class TimeLimitExceeded(LimitExceeded):
    """The request takes longer than it may."""

    def __init__(self) -> None:
        super().__init__("TIMEOUT", "The request took longer than it may. Ask for less at a time.")


def check_time(deadline: float | None) -> None:
    """Raise `TimeLimitExceeded` if the time `deadline`, by `time.monotonic`, has passed."""
    if deadline is not None and time.monotonic() >= deadline:
        raise TimeLimitExceeded


class DeadlineSignal:
    """A deadline as an abort signal for graphql-core's executor, which checks `aborted` at every field."""

    reason: Final = TimeLimitExceeded()

    def __init__(self, deadline: float) -> None:
        """Abort at `deadline`, by `time.monotonic`."""
        self._deadline = deadline

    @property
    def aborted(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self._deadline

    async def wait(self) -> object:
        """Wait until the time is up, and return the reason."""
        await asyncio.sleep(max(self._deadline - time.monotonic(), 0) + 0.001)
        return self.reason
