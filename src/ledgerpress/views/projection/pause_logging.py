"""Logs once in each process that projections have paused or continue."""

import logging
from collections.abc import Mapping
from contextlib import suppress

from ledgerpress.eventlog.errors import EventLogError
from ledgerpress.eventlog.log import EventLog
from ledgerpress.views.projection.checkpoints import Checkpoint

logger = logging.getLogger(__name__)


class PauseLogging:
    """Compares the checkpoints of projections with those before, and logs each pause and its end."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._paused: dict[str, Checkpoint] = {}

    def known(self, points: Mapping[str, Checkpoint]) -> None:
        """Take these checkpoints as known, without logging their pauses."""
        self._paused = _paused(points)

    async def log_changes(self, points: Mapping[str, Checkpoint]) -> None:
        """Log the pauses that are new, and those that have ended. Projections with the same pause share a message."""
        before, self._paused = self._paused, _paused(points)
        pauses: dict[tuple[int, str | None], list[str]] = {}
        for name, point in self._paused.items():
            if before.get(name) != point:
                pauses.setdefault((point.position + 1, point.error), []).append(name)
        for (position, error), names in pauses.items():
            logger.error(
                "paused at position %d (event type %s): projection %s. The reason: %s. Readers see the state before "
                "this event, and the server is not ready. Correct the cause (an unknown event: install the feature or the "
                "version that declares it) and restart, or run `ledgerpress projection resume NAME`; to continue without "
                "the event, run `ledgerpress projection skip NAME --reason REASON`",
                position,
                await self._type_at(position),
                ", ".join(names),
                error,
                exc_info=self._paused[names[0]].cause,
            )
        if resumed := [name for name in before if name in points and name not in self._paused]:
            logger.warning("no longer paused: projection %s", ", ".join(resumed))

    async def _type_at(self, position: int) -> str:
        with suppress(EventLogError):
            for event in await self._log.read(position - 1, 1):
                return event.header.type
        return "unknown"


def _paused(points: Mapping[str, Checkpoint]) -> dict[str, Checkpoint]:
    return {name: point for name, point in points.items() if point.is_paused}
