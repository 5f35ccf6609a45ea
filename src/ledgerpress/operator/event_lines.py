"""A file of events, one a line, as `ledgerpress events export` writes it."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from ledgerpress.eventlog.cloud_events import NotAnEvent, from_line
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import EventLogError

BATCH: Final = 1_000


class EventsUnreadable(EventLogError):
    """A file of events that cannot be taken over; the message names the line."""


def publication_of(file: Path) -> str:
    """Return the publication to which the first event of `file` belongs. Raises `EventsUnreadable`, `OSError`."""
    for event in _events(file):
        return event.header.publication
    raise EventsUnreadable(f"{file} holds no event")


def batches_of(file: Path, publication: str) -> Iterator[list[StoredEvent]]:
    """Yield the events of `file`, which must be those of `publication`, from position 1 on, without a gap.

    Raises `EventsUnreadable`, `OSError`.
    """
    events = enumerate(_events(file), start=1)
    while batch := list(islice(events, BATCH)):
        for expected, event in batch:
            if event.position != expected:
                raise EventsUnreadable(
                    f"line {expected}: position {expected} should be here, not {event.position}"
                )
            if event.header.publication != publication:
                raise EventsUnreadable(
                    f"line {expected}: it belongs to another publication than the lines before"
                )
        yield [event for _, event in batch]


def _events(file: Path) -> Iterator[StoredEvent]:
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                yield from_line(line)
            except NotAnEvent as error:
                raise EventsUnreadable(f"line {number}: {error}") from error
