"""A deterministic clock and source of randomness, so that a failure can be reproduced."""

import hashlib
from itertools import count
from typing import Final

START: Final = 1_714_809_600_000_000
"""2024-05-04 08:00 UTC, in microseconds since 1970."""
_SECOND: Final = 1_000_000


class StandingClock:
    """A clock that always returns `time`, in microseconds since 1970, UTC."""

    def __init__(self, time: int) -> None:
        self.time = time

    def now(self) -> int:
        return self.time


class SteppingClock(StandingClock):
    """A clock that advances by a second each time it is read, until it is stopped."""

    def __init__(self) -> None:
        super().__init__(START)
        self._is_stopped = False

    def now(self) -> int:
        if not self._is_stopped:
            self.time += _SECOND
        return self.time

    def stop(self) -> None:
        self._is_stopped = True


class SeededRandomness:
    """A source of bytes that look random, but depend only on a seed."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._draws = count()

    def bytes(self, count: int) -> bytes:
        return hashlib.shake_256(f"{self._seed} {next(self._draws)}".encode()).digest(count)
