"""Where time and chance come from. Both are injected, so that a run can be repeated byte for byte."""

import secrets
import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> int:
        """Return the time in microseconds since 1970, UTC."""
        ...


class Randomness(Protocol):
    """Gives random bytes."""

    def bytes(self, count: int) -> bytes:
        """Return `count` bytes that nobody can guess."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Return the time in microseconds since 1970, UTC."""
        return time.time_ns() // 1000  # noqa: TID251 - here, and nowhere else, the machine is asked


class SystemRandomness:
    """The operating system's random source."""

    def bytes(self, count: int) -> bytes:
        """Return `count` bytes that nobody can guess."""
        return secrets.token_bytes(count)
