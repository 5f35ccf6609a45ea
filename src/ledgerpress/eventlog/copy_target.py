"""The port to copy targets: logs that are created as copies of other logs.

Events keep their positions, ids, times and salts, so the copy has the same Merkle root as its source. A copy target
cannot be opened as a log until it is finished.
"""

from collections.abc import Sequence
from typing import Protocol

from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import EventLogError, GapInLog


class CopyTarget(Protocol):
    """An unfinished log. An interrupted copy can be continued: its events up to `head` are durable, each recorded once.

    Opening a target creates it if its location is empty. Opening raises `LogExists` if there is a finished log, and
    `LogUnusable` if there is a copy of another publication, or if another process is copying to the target. If the
    engine cannot detect another process, `extend` detects it. Every method raises `LogUnavailable` if the engine cannot
    be reached: the caller then opens the target again and continues from `head`.
    """

    async def head(self) -> int:
        """Return the position of the last copied event, 0 for a new copy."""
        ...

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        """Return up to `limit` events with positions greater than `after`, in order, as `EventLog.read` does.

        The events are read back from storage, to verify the copy.
        """
        ...

    async def extend(self, events: Sequence[StoredEvent]) -> None:
        """Add `events`, which follow the head without a gap; they are durable when the call returns.

        If the call fails or is interrupted, the target may contain a prefix of `events`, without a gap. `events` may
        include withdrawn events (their payload is `None`), long before their `payload.withdrawn`. Raises `GapInLog`,
        and `EventLogError` for an event that cannot come next.
        """
        ...

    async def erase(self, position: int) -> None:
        """Erase payload and salt of the event at `position`, whose `payload.withdrawn` has just been added.

        This is necessary if the event was copied before its withdrawal was recorded. Does the same as
        `EventLog.withdraw` without writes, and nothing if payload and salt are already erased. Raises
        `WithdrawalUnfinished`.
        """
        ...

    async def save_note(self, text: str) -> None:
        """Replace the note by `text` (ASCII, at most 8 KB); it is durable when the call returns."""
        ...

    async def load_note(self) -> str:
        """Return the note; it is empty at first."""
        ...

    async def finish(self) -> None:
        """Turn the target into a log that can be opened, in one step; the note may be dropped."""
        ...

    async def aclose(self) -> None:
        """Release the target, finished or not."""
        ...


def check_follows(events: Sequence[StoredEvent], head: int, publication: str) -> None:
    """Raise `GapInLog` or `EventLogError` unless `events` continue a copy of the publication's log after `head`."""
    for expected, event in enumerate(events, head + 1):
        if event.position != expected:
            raise GapInLog(expected=expected, actual=event.position)
        if event.header.publication != publication:
            raise EventLogError(f"the event at position {expected} belongs to another publication")
