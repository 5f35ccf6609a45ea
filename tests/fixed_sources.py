"""Clocks and a source of randomness that give the same values in every run."""

import hashlib
from itertools import count


class SetClock:
    """A clock that is set by tests, and advances one second with each call of `now`."""

    def __init__(self, now: int = 1_714_809_600_000_000) -> None:  # 2024-05-04 08:00 UTC
        self.time = now

    def now(self) -> int:
        self.time += 1_000_000
        return self.time


class StandingClock(SetClock):
    """A clock that advances only when it is set."""

    def now(self) -> int:
        return self.time


class SeededBytes:
    """A source of pseudorandom bytes, determined by a seed."""

    def __init__(self, seed: str = "seed") -> None:
        self._seed = seed
        self._draws = count()

    def bytes(self, count: int) -> bytes:
        return hashlib.shake_256(f"{self._seed} {next(self._draws)}".encode()).digest(count)
