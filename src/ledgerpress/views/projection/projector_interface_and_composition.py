"""Projectors: pure code that turns events, one by one, into rows of the projector's own tables."""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from itertools import chain, islice
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn


class ProjectorBatch(Protocol):
    """The work of a projector in one transaction. It may buffer rows, and cache rows that it reads, until `flush`.

    After an error, the batch is unusable, and the transaction MUST be rolled back to where the batch began.
    """

    def apply(self, recorded: Recorded[Event]) -> None:
        """Apply an event. Called once for each event, in order of position."""
        ...

    def flush(self) -> None:
        """Write buffered rows. Called once, after the last event."""
        ...


class Projector(Protocol):
    """Code that turns events into rows of tables that no other projector uses.

    It MUST depend only on the event and its own rows, so that a rebuild produces the same rows. It MUST accept every
    event of the catalogue. It MUST NOT begin or end a transaction, or keep state beyond one. It may declare the types
    of the events that it applies as `events` (see `events_of`).
    """

    @property
    def name(self) -> str:
        """The name of the projection."""
        ...

    @property
    def version(self) -> int:
        """The version, raised with every change to the tables or to the rows that are written."""
        ...

    @property
    def schema(self) -> str:
        """The SQL that creates the tables and the indexes that are needed for writing."""
        ...

    @property
    def indexes(self) -> str:
        """The SQL that creates the indexes that only readers use; a build creates them last."""
        ...

    def begin(self, db: sqlite3.Connection) -> ProjectorBatch:
        """Return the batch of one transaction."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """The withdrawal of the payload of an event that projections may have applied with its text.

    `event` is that event as it is decoded now, a `Withdrawn`; `event_type` is its class, `None` if the class is
    unknown. `stream` contains all events of its stream. `record` is the position of the withdrawal.
    """

    event: Recorded[Event]
    event_type: type[Event] | None
    stream: Sequence[Recorded[Event]]
    record: int
    is_first_of_command: bool

    @property
    def changes_only_text(self) -> bool:
        """Whether the event without its text is known, so that rows without text stay as they are."""
        return isinstance(self.event.event, Withdrawn) and self.event.event.remaining is not None

    @property
    def has_text(self) -> bool:
        """Whether the data of the event contained text."""
        return not (
            isinstance(self.event.event, Withdrawn) and self.changes_only_text and not self.event.event.erased
        )

    def is_in(self, category: str) -> bool:
        """Return whether the event is in the stream `category`, or in one of the streams `category.<id>`."""
        stream = self.event.header.stream
        return stream == category or stream.startswith(f"{category}.")


class Effect(Enum):
    """What an erasure requires of a projector."""

    NONE = "none"
    """Nothing more: no row depends on the text, or the projector has changed the rows."""
    REPLAY = "replay"
    """Apply the events of the stream again: the projector has deleted all rows that they produced."""
    REBUILD = "rebuild"
    """Delete all rows, and apply all events again."""


@runtime_checkable
class ErasingProjector(Protocol):
    """A projector that can erase the text of one event, without a rebuild of its projection."""

    def erase(self, erasure: Erasure, db: sqlite3.Connection) -> Effect:
        """Begin to change the rows as if the event had been recorded without its text; return what is left to do.

        The result MUST be the rows of a rebuild. `REPLAY` requires that these rows depend on no other stream.
        """
        ...


def no_text_to_erase(_projector: object, _erasure: Erasure, _db: sqlite3.Connection) -> Effect:
    """Require nothing: the `erase` method of projectors whose rows depend only on headers and ids."""
    return Effect.NONE


class ProjectorPart(Protocol):
    """A part of a projection that one feature contributes, with tables of its own."""

    @property
    def version(self) -> int: ...
    @property
    def schema(self) -> str: ...


@runtime_checkable
class ProjectorOfParts(Protocol):
    """A projector whose version increases with the version of each of its parts.

    The version does not show which part has changed; `parts` does.
    """

    @property
    def parts(self) -> Sequence[ProjectorPart]: ...


Apply: TypeAlias = Callable[[Recorded[Event], sqlite3.Connection], None]
DeleteRows: TypeAlias = Callable[[sqlite3.Connection, str], object]
"""Deletes all rows that the events of the stream with this name produced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImmediateProjector:
    """A projector for rare events, which buffers no rows. `apply` is called for events whose types are in `events`.

    If `delete_rows` is given, it contains a function for each category of streams whose events produce rows. Then the
    rows of a stream MUST depend on no other stream, and a withdrawal replays the stream instead of the whole log.
    """

    name: str
    version: int
    schema: str
    indexes: str = ""
    events: frozenset[type[Event]]
    apply: Apply
    delete_rows: Mapping[str, DeleteRows] = field(default_factory=dict)

    def begin(self, db: sqlite3.Connection) -> ProjectorBatch:
        return _ImmediateBatch(db, self)

    def erase(self, erasure: Erasure, db: sqlite3.Connection) -> Effect:
        if not self.delete_rows:
            ignores = self.events.isdisjoint({erasure.event_type, Withdrawn})
            return Effect.NONE if ignores else Effect.REBUILD
        for category, delete_rows in self.delete_rows.items():
            if erasure.is_in(category):
                delete_rows(db, erasure.event.header.stream)
                return Effect.REPLAY
        return Effect.NONE


def events_of(projector: Projector) -> frozenset[type[Event]] | None:
    """Return the types of the events that a projector applies, which it declares as `events`; `None` for all.

    Events of other types MUST NOT change its rows, so it need not be called for them.
    """
    events: frozenset[type[Event]] | None = getattr(projector, "events", None)
    return events


def union_of_events(
    parts: Iterable[frozenset[type[Event]] | None],
) -> frozenset[type[Event]] | None:
    """Return the types of the events that at least one part applies; `None` for all."""
    types = list(parts)
    return None if None in types else frozenset().union(*filter(None, types))


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
    """The projector of a projection to which several features contribute parts.

    Each part is a projector with tables of its own. The version increases by one with each new version of a part.
    """

    def __init__(self, parts: Sequence[Projector]) -> None:
        self.name, self.version = parts[0].name, composed_version(part.version for part in parts)
        self.schema = "\n".join(part.schema for part in parts)
        self.indexes = "\n".join(part.indexes for part in parts)
        self.parts = tuple(parts)
        self.events = union_of_events(events_of(part) for part in parts)

    def begin(self, db: sqlite3.Connection) -> ProjectorBatch:
        return _ComposedBatch([(events_of(part), part.begin(db)) for part in self.parts])


def composed_version(versions: Iterable[int]) -> int:
    """Return a version that is 1 if each of `versions` is 1, and that increases with each of them."""
    return 1 + sum(version - 1 for version in versions)


class _ComposedBatch:
    def __init__(self, batches: Sequence[tuple[frozenset[type[Event]] | None, ProjectorBatch]]) -> None:
        self._batches = batches
        self._by_event_type: dict[type[Event], list[Callable[[Recorded[Event]], None]]] = {}

    def apply(self, recorded: Recorded[Event]) -> None:
        event_type = type(recorded.event)
        applies = self._by_event_type.get(event_type)
        if applies is None:
            applies = self._by_event_type[event_type] = [
                batch.apply for events, batch in self._batches if events is None or event_type in events
            ]
        for apply in applies:
            apply(recorded)

    def flush(self) -> None:
        for _, batch in self._batches:
            batch.flush()


def compose(projectors: Iterable[Projector]) -> tuple[Projector, ...]:
    """Return one projector for each name, sorted by name. Projectors that share a name become the parts of one."""
    parts: dict[str, list[Projector]] = {}
    for projector in projectors:
        parts.setdefault(projector.name, []).append(projector)
    return tuple(
        parts[name][0] if len(parts[name]) == 1 else ComposedProjector(parts[name]) for name in sorted(parts)
    )


ROWS_AT_ONCE: Final = 64
"""Rows that one statement inserts; SQLite then needs half the time per row. Old versions allow 999 parameters."""


def write_all(db: sqlite3.Connection, statement: str, rows: Collection[Any]) -> None:
    """Execute `statement` for each row, in order, if there are any. A row is a sequence of parameters.

    Most transactions contain one event, and have rows for few statements. Many rows are inserted by fewer statements if
    `statement` is `INSERT INTO … VALUES (…)`. After an error, some of the rows may be written: the caller MUST roll back.
    """
    if len(rows) < ROWS_AT_ONCE or not (of_many := _of_many_rows(statement)):
        if rows:
            db.executemany(statement, rows)
        return
    left = iter(rows)
    for _ in range(len(rows) // ROWS_AT_ONCE):
        db.execute(of_many, list(chain.from_iterable(islice(left, ROWS_AT_ONCE))))
    db.executemany(statement, left)


@lru_cache
def _of_many_rows(statement: str) -> str | None:
    """Return the statement that inserts `ROWS_AT_ONCE` rows; `None` unless `statement` is `INSERT INTO … VALUES (…)`.

    With `OR FAIL`, SQLite copies no pages to be able to undo only this statement. It would for `REPLACE` and `ON CONFLICT`.
    """
    start, values, rest = statement.partition(" VALUES (")
    row, _, end = rest.partition(")")
    if not values or end or not start.startswith("INSERT INTO "):
        return None
    start = start.replace("INSERT INTO", "INSERT OR FAIL INTO", 1)
    return f"{start} VALUES {', '.join([f'({row})'] * ROWS_AT_ONCE)}"
