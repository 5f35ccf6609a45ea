"""The port to a log that is being made of another one: its events keep their positions, ids, times and salts.

So the copy has the Merkle root of the log that it was made of. Nobody can open it as a log until it is finished.
"""

from collections.abc import Sequence
from typing import Protocol

from ledgerpress.eventlog.envelope import StoredEvent


class CopyTarget(Protocol):
    """A log in the making. What was cut off is gone on with: its events up to `head` are durable, each there once.

    To open one begins it where nothing is yet. Opening it raises `LogExists` where there is a finished log,
    `LogUnusable` where there is a replica of another publication, and where another process is at work on it, as far
    as the engine can tell; otherwise that is found out by `extend`. Any method raises `LogUnavailable` where the
    engine cannot be reached: whoever copies opens it anew then, and goes on from `head`.
    """

    async def head(self) -> int:
        """Return the position of the last event that is there, 0 where it has just been begun."""
        ...

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        """Return up to `limit` events, in order, with positions greater than `after`, as `EventLog.read` does.

        They are read from where they are kept: the copy is checked by them.
        """
        ...

    async def extend(self, events: Sequence[StoredEvent]) -> None:
        """Add `events`, which follow the head without a gap, withdrawn ones among them; durable when it returns.

        Some of them may stay where it raises, or is cut off: always the first of them, without a gap. A withdrawn
        event (its payload is `None`) may come long before the `payload.withdrawn` that says so. Raises `GapInLog`
        and `EventLogError` for an event that cannot come next.
        """
        ...

    async def erase(self, position: int) -> None:
        """Erase payload and salt of the event at `position`: its `payload.withdrawn` has been added just now.

        The event was read before its withdrawal was recorded. Does what `EventLog.withdraw` does without writes, and
        nothing where they are gone already. Raises `WithdrawalUnfinished`.
        """
        ...

    async def note(self, text: str) -> None:
        """Keep `text` (ASCII, at most 8 KB) in place of what was noted before; durable when it returns."""
        ...

    async def noted(self) -> str:
        """Return what was noted last, nothing at first."""
        ...

    async def finish(self) -> None:
        """Make it a log that can be opened, in one step; what was noted need not be kept."""
        ...

    async def aclose(self) -> None:
        """Let go of it, finished or not."""
        ...
