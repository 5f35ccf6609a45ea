"""A log with room for so many appends a second, and a node that follows it batch by batch: how far it lags.

A discrete simulation, event by event in its arithmetic and batch by batch in its steps: a batch is what waits, at most
`limit`, and takes a fixed time and a time an event. With batches of one it is an M/D/1 queue, which the tests hold it to.
"""

import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from scripts.scaling.constants import OfSize

BATCH: Final = 500
"""`ledgerpress.server.store.FOLLOWED_AT_ONCE`."""


@dataclass(frozen=True, slots=True)
class Follower:
    """What a batch costs: `fixed` seconds, and `each` an event. `busy` is the share of its time that readers take."""

    fixed: float
    each: float
    limit: int = BATCH
    busy: float = 0.0

    @staticmethod
    def measured(size: OfSize, busy: float = 0.0) -> "Follower":
        """Return the follower that was measured: one event costs what a batch costs and what an event adds."""
        each = (size.follow_batch * BATCH - size.follow_single) / (BATCH - 1)
        return Follower(size.follow_single - each, each, busy=busy)

    def seconds(self, events: int) -> float:
        """Return how long a batch takes."""
        return (self.fixed + self.each * events) / (1 - self.busy)

    @property
    def rate(self) -> float:
        """Events a second, when batches are full."""
        return self.limit / self.seconds(self.limit)


@dataclass(slots=True)
class Followed:
    """What came of it: when each event was recorded, and shown; both in order."""

    recorded: list[float] = field(default_factory=list)
    shown: list[float] = field(default_factory=list)

    @property
    def mean_lag(self) -> float:
        """Seconds from recorded to shown, in the mean."""
        return sum(b - a for a, b in zip(self.recorded, self.shown, strict=True)) / len(self.recorded)


def arrivals(rate: Callable[[float], float], most: float, seconds: float, seed: int) -> Iterator[float]:
    """Yield the moments of a Poisson process whose rate changes, `most` at most (Lewis and Shedler's thinning)."""
    chance, now = random.Random(seed), 0.0  # noqa: S311  # the same each time
    while (now := now + chance.expovariate(most)) < seconds:
        if chance.random() * most <= rate(now):
            yield now


def record(
    asked: Iterator[float], capacity: float, stalls: tuple[tuple[float, float], ...] = ()
) -> list[float]:
    """Return when the log has recorded what was asked for: `capacity` a second, and nothing from-to in `stalls`."""
    recorded: list[float] = []
    free = 0.0
    for moment in asked:
        free = max(free, moment) + 1 / capacity
        for begins, ends in stalls:
            if begins <= free < ends:
                free = ends
        recorded.append(free)
    return recorded


def follow(recorded: list[float], follower: Follower) -> Followed:
    """Return when each event is shown."""
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
