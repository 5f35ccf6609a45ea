"""Computes how far each projection is behind the log, even if the log cannot be reached."""

import asyncio
from collections.abc import Mapping
from typing import Final, NamedTuple

from ledgerpress.eventlog.errors import LogUnavailable
from ledgerpress.eventlog.log import EventLog
from ledgerpress.eventlog.log_health import LogHealth
from ledgerpress.views.projection.checkpoints import Checkpoint

TIMEOUT: Final = 1.0
"""Seconds to wait for the log."""


class Lag(NamedTuple):
    """The number of events that a projection has not applied yet, and how many seconds the first of them has waited.

    If the log cannot be reached, `is_known` is false. Then `events` counts up to the last known head, and `seconds` is
    the time since the log last answered.
    """

    events: int
    seconds: float
    is_known: bool = True


async def lags(
    log: EventLog, points: Mapping[str, Checkpoint], now: int, contact: LogHealth
) -> dict[str, Lag]:
    """Return the lag of each projection at `now`, in microseconds since 1970, UTC. No lag is negative.

    The function waits for the log for at most `TIMEOUT` seconds.
    """
    try:
        async with asyncio.timeout(TIMEOUT):
            head = await log.head()
            waiting = dict[int, float]()
            for position in {point.position for point in points.values() if point.position < head}:
                for event in await log.read(position, 1):
                    waiting[position] = max(0, now - event.header.recorded_at) / 1_000_000
    except (LogUnavailable, TimeoutError):
        seconds = contact.silence
        return {
            name: Lag(max(0, contact.head - point.position), seconds, is_known=False)
            for name, point in points.items()
        }
    return {
        name: Lag(max(0, head - point.position), waiting.get(point.position, 0.0))
        for name, point in points.items()
    }


def node_lag(lag: Mapping[str, Lag]) -> Lag:
    """Return the lag of a node: the greatest lag of its projections."""
    return Lag(
        max((projection_lag.events for projection_lag in lag.values()), default=0),
        max((projection_lag.seconds for projection_lag in lag.values()), default=0.0),
        all(projection_lag.is_known for projection_lag in lag.values()),
    )
