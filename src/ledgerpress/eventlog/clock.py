"""The clock. It is injected, so that a run can be repeated byte for byte."""

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> int:
        """Return the time in microseconds since 1970, UTC."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> int:
        """Return the time in microseconds since 1970, UTC."""
        return time.time_ns() // 1000  # noqa: TID251 - the one place that asks the machine
