"""Apply events with one projector, without checkpoints."""

import sqlite3
from collections.abc import Iterable

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.views.projection.projector_interface_and_composition import Projector


def apply_all(projector: Projector, events: Iterable[Recorded[Event]], db: sqlite3.Connection) -> None:
    """Apply `events` with `projector` to the tables in `db`."""
    batch = projector.begin(db)
    for event in events:
        batch.apply(event)
    batch.flush()
