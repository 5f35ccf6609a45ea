"""Tells views that were made of this log from those of another one, such as the log before it was restored."""

from collections.abc import Iterable

from ledgerpress.eventlog.log import EventLog
from ledgerpress.projections.checkpoints import Checkpoint


async def made_of(log: EventLog, points: Iterable[Checkpoint]) -> bool:
    """Whether the log holds, at the position of each checkpoint, the event that was applied there."""
    for point in points:
        if point.position:
            found = await log.read(point.position - 1, 1)
            if not found or found[0].header.leaf_hash().hex() != point.leaf_hash:
                return False
    return True
