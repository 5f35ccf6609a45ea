"""The catch-up subscription: every event after a position, in order, first the stored ones, then new ones."""

from collections.abc import AsyncIterator, Iterable, Sequence

from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import GapInLog
from ledgerpress.eventlog.log import EventLog


def check_gapless(events: Iterable[StoredEvent], after: int) -> None:
    """Raise `GapInLog` unless the positions of `events` continue from `after` without a gap."""
    for expected, event in enumerate(events, after + 1):
        if event.position != expected:
            raise GapInLog(expected=expected, found=event.position)


async def catch_up(
    log: EventLog, after: int, *, batch_size: int = 1_000, poll: float = 1.0
) -> AsyncIterator[Sequence[StoredEvent]]:
    """Yield batches of the events after `after`, without end; at the head, wait for more.

    `poll` is the maximum time in seconds between two reads of the log. Raises `GapInLog`.
    """
    while True:
        batch = await log.read(after, batch_size)
        if not batch:
            await log.wait_beyond(after, poll)
            continue
        check_gapless(batch, after)
        after = batch[-1].position
        yield batch
