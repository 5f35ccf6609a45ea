"""The port to a log that is created as a copy of another one: events keep their positions, ids, times and salts.

So the copy has the same Merkle root as its source. It cannot be opened as a log until it is finished.
"""

from collections.abc import Sequence
from typing import Protocol

from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import EventLogError, GapInLog


class CopyTarget(Protocol):
    """An unfinished log. An interrupted copy can be continued: its events up to `head` are durable, each recorded once.

    Opening a target creates it if there is nothing yet. It raises `LogExists` if there is a finished log, and `LogUnusable`
    if there is a copy of another publication, or if another process is copying to it, as far as the engine can detect that;
    otherwise `extend` detects it. Every method raises `LogUnavailable` if the engine cannot be reached: the caller then
    opens the target again and continues from `head`.
    """

    async def head(self) -> int:
        """Return the position of the last copied event, 0 for a new copy."""
        ...

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        """Return up to `limit` events, in order, with positions greater than `after`, as `EventLog.read` does.

        They are read back from storage: the copy is verified with them.
        """
        ...

    async def extend(self, events: Sequence[StoredEvent]) -> None:
        """Add `events`, which follow the head without a gap, including withdrawn ones; durable when it returns.

        If it raises or is interrupted, a prefix of `events` may have been added, without a gap. A withdrawn event (its
        payload is `None`) may come long before its `payload.withdrawn`. Raises `GapInLog`, and `EventLogError` for an
        event that cannot come next.
        """
        ...

    async def erase(self, position: int) -> None:
        """Erase payload and salt of the event at `position`, whose `payload.withdrawn` has just been added.

        The event was read before its withdrawal was recorded. Does what `EventLog.withdraw` does without writes, and
        nothing if they are erased already. Raises `WithdrawalUnfinished`.
        """
        ...

    async def save_note(self, text: str) -> None:
        """Store `text` (ASCII, at most 8 KB) in place of the previous note; durable when it returns."""
        ...

    async def load_note(self) -> str:
        """Return the last note, an empty text at first."""
        ...

    async def finish(self) -> None:
        """Turn it into a log that can be opened, in one step; the note may be dropped."""
        ...

    async def aclose(self) -> None:
        """Release it, finished or not."""
        ...


def check_follows(events: Sequence[StoredEvent], head: int, publication: str) -> None:
    """Raise `GapInLog` or `EventLogError` unless `events` continue a copy of the publication's log after `head`."""
    for expected, event in enumerate(events, head + 1):
        if event.position != expected:
            raise GapInLog(expected=expected, found=event.position)
        if event.header.publication != publication:
            raise EventLogError(f"position {expected}: it belongs to another publication")
