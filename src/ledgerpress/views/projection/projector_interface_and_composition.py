"""Projectors: pure code that turns events, one after another, into rows of its own tables."""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event


class ProjectorBatch(Protocol):
    """What a projector does in one transaction. Rows may be buffered until `flush`, with what it reads.

    After an error it is of no use any more, and the transaction MUST be rolled back to where it began.
    """

    def apply(self, recorded: Recorded[Event]) -> None:
        """Apply an event. It is called once for each event, in order of position."""
        ...

    def flush(self) -> None:
        """Write buffered rows. It is called once, after the last event."""
        ...


class Projector(Protocol):
    """Turns events into rows of tables that no other projector touches.

    It MUST depend on nothing but the event and its own rows, so that a rebuild gives the same rows; it MUST
    accept every event of the catalogue; it MUST NOT begin or end a transaction, nor hold anything beyond one.
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
        """Return what writes in one transaction."""
        ...


class ProjectorPart(Protocol):
    """A part of a projection that one feature contributes, with tables of its own."""

    @property
    def version(self) -> int: ...
    @property
    def schema(self) -> str: ...


@runtime_checkable
class ProjectorOfParts(Protocol):
    """A projector whose version goes up with each of its parts. It does not say with which: the parts do."""

    @property
    def parts(self) -> Sequence[ProjectorPart]: ...


Apply: TypeAlias = Callable[[Recorded[Event], sqlite3.Connection], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImmediateProjector:
    """A projector for rare events, which writes each at once. `apply` is called for events of the types in `events`."""

    name: str
    version: int
    schema: str
    indexes: str = ""
    events: frozenset[type[Event]]
    apply: Apply

    def begin(self, db: sqlite3.Connection) -> ProjectorBatch:
        return _ImmediateBatch(db, self)


@dataclass(frozen=True, slots=True)
class _ImmediateBatch:
    db: sqlite3.Connection
    projector: ImmediateProjector

    def apply(self, recorded: Recorded[Event]) -> None:
        if type(recorded.event) in self.projector.events:
            self.projector.apply(recorded, self.db)

    def flush(self) -> None:
        pass


class ComposedProjector:
    """A projection to which several features contribute parts: each part is a projector with tables of its own.

    Its version goes up by one with the version of each part.
    """

    def __init__(self, parts: Sequence[Projector]) -> None:
        self.name, self.version = parts[0].name, composed_version(part.version for part in parts)
        self.schema = "\n".join(part.schema for part in parts)
        self.indexes = "\n".join(part.indexes for part in parts)
        self.parts = tuple(parts)

    def begin(self, db: sqlite3.Connection) -> ProjectorBatch:
        return _ComposedBatch([part.begin(db) for part in self.parts])


def composed_version(versions: Iterable[int]) -> int:
    """Return a version that is 1 where each of `versions` is, and goes up with each of them."""
    return 1 + sum(version - 1 for version in versions)


class _ComposedBatch:
    def __init__(self, batches: Sequence[ProjectorBatch]) -> None:
        self._batches = batches

    def apply(self, recorded: Recorded[Event]) -> None:
        for batch in self._batches:
            batch.apply(recorded)

    def flush(self) -> None:
        for batch in self._batches:
            batch.flush()


def compose(projectors: Iterable[Projector]) -> tuple[Projector, ...]:
    """Return one projector for each name, in the order of the names; those that share a name are its parts."""
    parts: dict[str, list[Projector]] = {}
    for projector in projectors:
        parts.setdefault(projector.name, []).append(projector)
    return tuple(
        parts[name][0] if len(parts[name]) == 1 else ComposedProjector(parts[name]) for name in sorted(parts)
    )


def write_all(db: sqlite3.Connection, statement: str, rows: Collection[Any]) -> None:
    """Execute `statement` for each row. Most transactions are of one event, and have rows for few statements."""
    if rows:
        db.executemany(statement, rows)
