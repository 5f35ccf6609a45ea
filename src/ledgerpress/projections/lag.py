"""How far each projection is behind the log."""

from collections.abc import Mapping
from typing import NamedTuple

from ledgerpress.eventlog.log import EventLog
from ledgerpress.projections.checkpoints import Checkpoint


class Lag(NamedTuple):
    """What a projection has still to apply: how many events, and for how many seconds the first of them has waited."""

    events: int
    seconds: float


async def lags(log: EventLog, points: Mapping[str, Checkpoint], now: int) -> dict[str, Lag]:
    """Return how far each projection is behind at `now`, in microseconds since 1970, UTC. No lag is negative."""
    head = await log.head()
    waiting = dict[int, float]()
    for position in {point.position for point in points.values() if point.position < head}:
        for first in await log.read(position, 1):
            waiting[position] = max(0, now - first.header.recorded_at) / 1_000_000
    return {
        name: Lag(max(0, head - point.position), waiting.get(point.position, 0.0))
        for name, point in points.items()
    }
