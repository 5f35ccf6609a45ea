"""Simulate the lag of a node that follows a log batch by batch; the log has a limited number of appends per second.

The simulation is discrete. A batch contains all waiting events, at most `limit`. It takes a fixed time plus a time per
event. With batches of one event it is an M/D/1 queue; the tests compare it with the formula.
"""

import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from scripts.scaling.constants import OfSize

BATCH: Final = 500
"""`ledgerpress.server.store.FOLLOW_BATCH_SIZE`."""


@dataclass(frozen=True, slots=True)
class Follower:
    """The cost of a batch: `fixed` seconds, and `each` seconds per event. `busy` is the share of its time for reads."""

    fixed: float
    each: float
    limit: int = BATCH
    busy: float = 0.0

    @staticmethod
    def measured(size: OfSize, busy: float = 0.0) -> "Follower":
        """Return the follower with the measured costs: a single event costs `fixed` + `each`."""
        each = (size.follow_batch * BATCH - size.follow_single) / (BATCH - 1)
        return Follower(size.follow_single - each, each, busy=busy)

    def seconds(self, events: int) -> float:
        """Return the seconds for a batch with this number of events."""
        return (self.fixed + self.each * events) / (1 - self.busy)

    @property
    def rate(self) -> float:
        """Events per second with full batches."""
        return self.limit / self.seconds(self.limit)


@dataclass(slots=True)
class Followed:
    """The result: the times at which each event was recorded and shown, both in order."""

    recorded: list[float] = field(default_factory=list)
    shown: list[float] = field(default_factory=list)

    @property
    def mean_lag(self) -> float:
        """Mean seconds from the recording of an event until it is shown."""
        return sum(b - a for a, b in zip(self.recorded, self.shown, strict=True)) / len(self.recorded)


def arrivals(rate: Callable[[float], float], most: float, seconds: float, seed: int) -> Iterator[float]:
    """Yield the times of a Poisson process with a variable rate of at most `most` (thinning by Lewis and Shedler)."""
    chance, now = random.Random(seed), 0.0  # noqa: S311  # reproducible
    while (now := now + chance.expovariate(most)) < seconds:
        if chance.random() * most <= rate(now):
            yield now


def record(
    requests: Iterator[float], capacity: float, stalls: tuple[tuple[float, float], ...] = ()
) -> list[float]:
    """Return when the log records each requested append: at most `capacity` per second, and none during `stalls`."""
    recorded: list[float] = []
    free = 0.0
    for requested in requests:
        free = max(free, requested) + 1 / capacity
        for begins, ends in stalls:
            if begins <= free < ends:
                free = ends
        recorded.append(free)
    return recorded


def follow(recorded: list[float], follower: Follower) -> Followed:
    """Simulate a follower, and return when each event is recorded and shown."""
    result = Followed(recorded)
    waiting, now, number = deque[float](), 0.0, 0
    while number < len(recorded) or waiting:
        if not waiting:
            now = max(now, recorded[number])
        while number < len(recorded) and recorded[number] <= now:
            waiting.append(recorded[number])
            number += 1
        batch = min(len(waiting), follower.limit)
        now += follower.seconds(batch)
        for _ in range(batch):
            waiting.popleft()
            result.shown.append(now)
    return result
