"""The time that a request may take.

A query is executed on the event loop in one go wherever it can be, so a timer alone would come too late: those who
execute look at the time themselves, at every field or entry of a list.
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
    """Raise `TimeLimitExceeded` where the moment `deadline`, by `time.monotonic`, has passed."""
    if deadline is not None and time.monotonic() >= deadline:
        raise TimeLimitExceeded


class DeadlineSignal:
    """A deadline as graphql-core's executor takes it, which looks at `aborted` at every field."""

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
