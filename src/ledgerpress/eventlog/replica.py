"""The port to a log that is being made of another one: its events keep their positions, ids, times and salts.

So the copy has the Merkle root of the log that it was made of. Nobody can open it as a log until it is finished.
"""

from collections.abc import Sequence
from typing import Protocol

from ledgerpress.eventlog.envelope import StoredEvent


class LogReplica(Protocol):
    """A log in the making. What was cut off is gone on with: its events up to `head` are durable, each there once."""

    async def head(self) -> int:
        """Return the position of the last event that is there, 0 where it has just been begun."""
        ...

    async def last(self) -> StoredEvent | None:
        """Return the event at the head, `None` where there is none: to see of which log it was begun."""
        ...

    async def extend(self, events: Sequence[StoredEvent]) -> None:
        """Add `events`, which follow the head without a gap, withdrawn ones among them; durable when it returns.

        Raises `GapInLog` and `EventLogError` for an event that cannot come next, and `LogUnavailable`.
        """
        ...

    async def finish(self) -> None:
        """Make it a log that can be opened."""
        ...

    async def aclose(self) -> None:
        """Let go of it, finished or not."""
        ...
