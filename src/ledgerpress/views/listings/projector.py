"""The listings projector: records which items are in which listings as of every position.

Features contribute the listings. All listings share one page counter, and so one projector. A listing has an integer
key: the position of the event that created its subject, such as a category, or a fixed key of at most 0. A listing with
a negative key is internal: it contains items that are not public. Items are identified by the position of their
creation, and sorted by a date, then by that position.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn
from ledgerpress.views.listings import membership_btree
from ledgerpress.views.listings.membership_btree import Memberships
from ledgerpress.views.projection.projector_interface_and_composition import (
    Effect,
    Erasure,
    ProjectorBatch,
    composed_version,
    union_of_events,
)

Entry: TypeAlias = tuple[int, int]
"""The key of a listing, and the date of an item in that listing."""


class ListedItem(Protocol):
    """An item in listings, such as a post, as of one position. It is never changed in place."""

    @property
    def seq(self) -> int:
        """The position at which the item was created."""
        ...

    @property
    def public_date(self) -> int | None:
        """The date of the item in listings for readers; `None` while the item is not public."""
        ...


I = TypeVar("I", bound=ListedItem)  # noqa: E741


class ListingWriter(Generic[I]):
    """The writer of one feature's listings in one transaction.

    It MUST depend only on the events, the items, and its own rows. Rows may be buffered until `flush`.
    """

    def find(self, item_id: str) -> I | None:
        """Return an item of this feature by its id; `None` if there is none."""
        return None

    def entries(self, item: I) -> Iterable[Entry]:
        """Return the entries of a public item, of any feature, in the listings of this feature.

        They depend only on the item, and on rows that no event changes together with an item.
        """
        return ()

    def apply(self, recorded: Recorded[Event], changes: "ListingChanges") -> None:
        """Apply an event: change rows, and call `changes` for items that enter, leave or change."""

    def item_changed(self, before: I | None, after: I, position: int) -> None:
        """Update counts after a change of an item."""

    def flush(self) -> None:
        """Write the rows that were buffered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingContribution:
    """The contribution of a feature to the listings projector: its tables, and its writer.

    `schema` creates at least one table. `version` MUST be raised with every change to the tables or their rows. Only
    events whose types are in `events` are applied; all events if it is `None`. `listings_of` takes items that were
    public as of a position, and that position. It returns (listing, item) for each listing of this contribution that
    contained such an item, so that counts can exclude items that are hidden today.

    The rows depend on the text of events whose types are in `text_of`; of every event if it is `None`. A withdrawal of
    such an event rebuilds all listings.
    """

    name: str
    version: int = 1
    schema: str
    events: frozenset[type[Event]] | None = None
    text_of: frozenset[type[Event]] | None = None
    begin: Callable[[sqlite3.Connection], ListingWriter[Any]]
    listings_of: Callable[[sqlite3.Connection, Sequence[int], int], Iterable[tuple[int, int]]] | None = None

    def depends_on(self, erasure: Erasure) -> bool:
        """Return whether rows can change if the text of the event is erased."""
        if self.text_of is not None:
            return erasure.event_type in self.text_of
        return self.events is None or not self.events.isdisjoint({erasure.event_type, Withdrawn})


class ListingChanges:
    """The changes to all listings in one transaction, by the contributions of features, event by event."""

    def __init__(self, db: sqlite3.Connection, contributions: Sequence[ListingContribution]) -> None:
        self._db = db
        self._memberships: Memberships | None = None
        self._contributions = contributions
        self._begun: list[ListingWriter[Any] | None] = [None] * len(contributions)
        self._writers: list[ListingWriter[Any]] = []
        self._counting: list[ListingWriter[Any]] = []
        self._by_event_type = dict[type[Event], list[ListingWriter[Any]]]()
        self._position = 0
        self._left = set[tuple[int, int, int]]()
        self._entered = set[tuple[int, int, int]]()
        self._touched = set[tuple[int, int, int]]()

    def find(self, item_id: str) -> Any | None:
        return next(
            (item for writer in self._all_writers() if (item := writer.find(item_id)) is not None), None
        )

    def replace(self, before: ListedItem | None, after: ListedItem) -> None:
        """Record that an item was created (`before` is `None`), or changed from `before` to `after`."""
        self._all_writers()
        old = None if before is None or before.public_date is None else self._entries(before)
        new = None if after.public_date is None else self._entries(after)
        if old != new:
            left, entered, seq = set(old or ()), set(new or ()), after.seq
            self._left.update([(k, date, seq) for k, date in left - entered])
            self._entered.update([(k, date, seq) for k, date in entered - left])
        for writer in self._counting:
            writer.item_changed(before, after, self._position)

    def touch(self, item: ListedItem) -> None:
        """Record that readers see an item differently in the listings in which it stays, for example its title."""
        self._all_writers()
        if item.public_date is not None:
            self._touched.update([(k, date, item.seq) for k, date in self._entries(item)])

    def enter(self, k: int, date: int, item: ListedItem) -> None:
        """Add an item to a listing under a date (microseconds since 1970, UTC)."""
        self._entered.add((k, date, item.seq))

    def leave(self, k: int, date: int, item: ListedItem) -> None:
        """Remove an item from a listing; `date` is the date under which the item entered."""
        self._left.add((k, date, item.seq))

    def apply(self, recorded: Recorded[Event]) -> None:
        """Apply an event. Entries end before others begin, both in the order of the listings' keys."""
        event_type = type(recorded.event)
        writers = self._by_event_type.get(event_type)
        if writers is None:
            writers = self._by_event_type[event_type] = self._writers_of(event_type)
        position = self._position = recorded.header.position
        for writer in writers:
            writer.apply(recorded, self)
        if not (self._left or self._entered or self._touched):
            return
        if self._memberships is None:
            self._memberships = Memberships(self._db)
        memberships = self._memberships
        left, entered = sorted(self._left - self._entered), sorted(self._entered - self._left)
        memberships.load([k for k, _, _ in (*left, *entered)])
        for k, date, seq in left:
            memberships.close(k, date, seq, position)
        for k, date, seq in entered:
            memberships.open(k, date, seq, position)
        for k, date, seq in self._touched.difference(entered):
            memberships.touch(k, date, seq, position)
        self._left.clear()
        self._entered.clear()
        self._touched.clear()

    def flush(self) -> None:
        if self._memberships is not None:
            self._memberships.flush()
        for writer in filter(None, self._begun):
            writer.flush()

    def _all_writers(self) -> list[ListingWriter[Any]]:
        if not self._writers:
            self._writers = [self._writer(number) for number in range(len(self._contributions))]
            self._counting = [
                writer
                for writer in self._writers
                if type(writer).item_changed is not ListingWriter.item_changed
            ]
        return self._writers

    def _writers_of(self, event_type: type[Event]) -> list[ListingWriter[Any]]:
        """Return the writers of the contributions that apply events of this type."""
        return [
            self._writer(number)
            for number, contribution in enumerate(self._contributions)
            if contribution.events is None or event_type in contribution.events
        ]

    def _writer(self, number: int) -> ListingWriter[Any]:
        """Return the writer of a contribution, which is created when it is first needed."""
        writer = self._begun[number]
        if writer is None:
            writer = self._begun[number] = self._contributions[number].begin(self._db)
        return writer

    def _entries(self, item: ListedItem) -> list[Entry]:
        """Return the entries of a public item."""
        return [entry for writer in self._writers for entry in writer.entries(item)]


class ListingsProjector:
    """A projector that writes the pages and counts of every listing."""

    name: Final = "listings"
    indexes: Final = ""

    def __init__(self, contributions: Sequence[ListingContribution]) -> None:
        """Raise `ValueError` for a contribution without a table: tables distinguish the files of other features."""
        if names := [contribution.name for contribution in contributions if not contribution.schema.strip()]:
            raise ValueError(f"listings without a table of their own: {', '.join(names)}")
        self.version = composed_version(contribution.version for contribution in contributions)
        schemas = (membership_btree.SCHEMA, *(contribution.schema for contribution in contributions))
        # A schema may end with a comment, which only a newline ends.
        self.schema = "\n".join(schemas)
        self._contributions = tuple(contributions)
        self.events = union_of_events(contribution.events for contribution in contributions)
        """The types of the events that a contribution applies; `None` for all."""

    @property
    def parts(self) -> Sequence[ListingContribution]:
        """The contributions of features."""
        return self._contributions

    def begin(self, db: sqlite3.Connection) -> ProjectorBatch:
        return ListingChanges(db, self._contributions)

    def erase(self, erasure: Erasure, db: sqlite3.Connection) -> Effect:
        """Do nothing, or require a rebuild if rows of a contribution depend on text of such events."""
        depends = any(contribution.depends_on(erasure) for contribution in self._contributions)
        return Effect.REBUILD if depends else Effect.NONE
