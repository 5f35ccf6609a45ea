"""The clock. It is injected, so that a run can be repeated byte for byte."""

import time
from typing import Protocol


class Clock(Protocol):
    """Returns the time."""

    def now(self) -> int:
        """Return the time in microseconds since 1970, UTC."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> int:
        """Return the time in microseconds since 1970, UTC."""
        return time.time_ns() // 1000  # noqa: TID251 - the only place that reads the machine's clock
