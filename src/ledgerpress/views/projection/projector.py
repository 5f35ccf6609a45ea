"""What a projector is: pure code that turns events, one after another, into changes of its own tables."""

import sqlite3
from collections.abc import Callable, Collection, Iterable
from typing import Any, Protocol, TypeAlias

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event import Event


class ProjectorBatch(Protocol):
    """What a projector does in one transaction. Rows may be kept back until `flush`, and so what it reads, too.

    After an error it is of no use any more, and the transaction MUST be rolled back to where it began.
    """

    def apply(self, recorded: Recorded[Event]) -> None:
        """Take in what the event changes. It is called once for each event, in order of position."""
        ...

    def flush(self) -> None:
        """Write what was kept back. It is called once, after the last event."""
        ...


class Projector(Protocol):
    """Turns events into rows of tables that no other projector touches.

    It MUST depend on nothing but the event and its own rows, so that a rebuild gives the same rows; it MUST
    accept every event of the catalogue; it MUST NOT begin or end a transaction, nor keep anything beyond one.
    """

    @property
    def name(self) -> str:
        """The projection's name, for operators."""
        ...

    @property
    def version(self) -> int:
        """Raised with every change to the tables or to what is written into them."""
        ...

    @property
    def schema(self) -> str:
        """The SQL that creates the tables, with the indexes that are needed for writing."""
        ...

    @property
    def indexes(self) -> str:
        """The SQL that creates the indexes which only readers use: made last in a rebuild."""
        ...

    def begin(self, db: sqlite3.Connection) -> ProjectorBatch:
        """Return what writes in the transaction under way."""
        ...


Apply: TypeAlias = Callable[[Recorded[Event], sqlite3.Connection], None]


class ImmediateBatch:
    """Writing that keeps nothing back, for events that come seldom: those of `types` are applied, others passed over."""

    def __init__(self, db: sqlite3.Connection, types: frozenset[type[Event]], apply: Apply) -> None:
        self._db = db
        self._types = types
        self._apply = apply

    def apply(self, recorded: Recorded[Event]) -> None:
        """Write what the event changes."""
        if type(recorded.event) in self._types:
            self._apply(recorded, self._db)

    def flush(self) -> None:
        """Everything is written."""


def apply_all(projector: Projector, events: Iterable[Recorded[Event]], db: sqlite3.Connection) -> None:
    """Write what `events` change. Where that fails, the caller MUST roll back."""
    writing = projector.begin(db)
    for event in events:
        writing.apply(event)
    writing.flush()


def write_all(db: sqlite3.Connection, statement: str, rows: Collection[Any]) -> None:
    """Execute `statement` for each row. Most transactions are of one event, and have rows for few statements."""
    if rows:
        db.executemany(statement, rows)
