"""Tells views that were made of this log from those of another one, such as the log before it was restored."""

import asyncio
import time
from collections.abc import Iterable
from typing import Final

from ledgerpress.eventlog.log import EventLog
from ledgerpress.views.projection.checkpoints import Checkpoint

LOOK: Final = 0.25
"""Seconds between two looks at a log that may lack its last events for a while."""


async def belongs_to_log(log: EventLog, points: Iterable[Checkpoint]) -> bool:
    """Whether the log holds, at the position of each checkpoint, the event that was applied there.

    Where it ends before, it is looked at again for as long as whoever answers may not have all of it.
    """
    give_up = time.monotonic() + log.staleness
    for point in points:
        if point.position:
            found = await log.read(point.position - 1, 1)
            while not found and time.monotonic() < give_up:
                await asyncio.sleep(LOOK)
                found = await log.read(point.position - 1, 1)
            if not found or found[0].header.leaf_hash().hex() != point.leaf_hash:
                return False
    return True
