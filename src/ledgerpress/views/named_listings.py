"""Named listings, such as one for each tag, or a single one: the code that most features' listing contributions share.

The key of a listing is the position of the first event that added an item to it. A listing that has never had an item
has the key `EMPTY`, under which there are no items.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, TypeAlias

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.views.feature_declarations import DependencyRule, RecentEvent
from ledgerpress.views.listings.projector import (
    Entry,
    ListedItem,
    ListingChanges,
    ListingContribution,
    ListingWriter,
)
from ledgerpress.views.listings.queries import changed_listings
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot, Topic

EMPTY: Final = 2**53 - 1
"""The key of a listing that has never had an item: no event has this position."""


class MemberChange(NamedTuple):
    """A change of membership: an item enters the listing with that name, or leaves it."""

    item_id: str
    listing: str = ""
    is_member: bool = True


MemberChanges: TypeAlias = Callable[[Recorded[Event]], Iterable[MemberChange]]
"""Returns the changes of membership that an event causes."""


class NamedListings:
    """The named listings of one feature, with items of other features that it builds on, such as posts.

    `tables` is the prefix of the table names. `changes` receives the events whose types are in `events`. A listing
    contains an item only while the item is public. `text_of` has the meaning that it has in `ListingContribution`.
    """

    def __init__(
        self,
        name: str,
        *,
        tables: str,
        events: frozenset[type[Event]],
        changes: MemberChanges,
        version: int = 1,
        text_of: frozenset[type[Event]] | None = None,
    ) -> None:
        self._tables = tables
        self.contribution: Final = ListingContribution(
            name=name,
            version=version,
            schema=f"""
                CREATE TABLE {tables}_listing (name TEXT PRIMARY KEY, k INTEGER NOT NULL) STRICT, WITHOUT ROWID;
                CREATE TABLE {tables}_member (
                    item INTEGER NOT NULL, k INTEGER NOT NULL, from_pos INTEGER NOT NULL, to_pos INTEGER,
                    PRIMARY KEY (item, k, from_pos)
                ) STRICT, WITHOUT ROWID;
            """,
            events=events,
            text_of=text_of,
            begin=lambda db: _Writer(db, tables, changes),
            listings_of=self._listings_of,
        )
        self.dependencies: Final = DependencyRule(frozenset(), self._topics)
        """The rule that invalidates changed listings. It covers no event type.

        So the types in `events` need another rule, which also covers everything else that these events change.
        """

    def key(self, snapshot: Snapshot, listing: str = "") -> int:
        """Return the key of a listing; `EMPTY` if the listing has never had an item.

        The response then depends on the topic of the listing, because the key changes when the first item is added.
        """
        query = f"SELECT k FROM {self._tables}_listing WHERE name = ?"  # noqa: S608
        row = snapshot.about(Topic(self._tables, listing)).execute(query, (listing,)).fetchone()
        return int(row[0]) if row else EMPTY

    def _topics(self, snapshot: Snapshot, after: int, _: Sequence[RecentEvent]) -> Iterable[Topic]:
        """Yield the topics that events after a position invalidate: of new listings, and of listings that changed."""
        rows = snapshot.about().execute(f"SELECT name, k FROM {self._tables}_listing").fetchall()  # noqa: S608
        yield from (Topic(self._tables, name) for name, k in rows if k > after)
        yield from changed_listings(snapshot, after, [k for _, k in rows])

    def _listings_of(self, db: sqlite3.Connection, items: Sequence[int], position: int) -> Iterable[Entry]:
        rows = db.execute(
            f"SELECT k, item FROM {self._tables}_member"  # noqa: S608
            " WHERE from_pos <= ?1 AND (to_pos IS NULL OR to_pos > ?1)",
            (position,),
        )
        item_set = set(items)
        return [row for row in rows if row[1] in item_set]


class _Writer(ListingWriter[ListedItem]):
    def __init__(self, db: sqlite3.Connection, tables: str, changes: MemberChanges) -> None:
        self._db = db
        self._changes = changes
        self._keys_of_item = f"SELECT k FROM {tables}_member WHERE item = ? AND to_pos IS NULL"  # noqa: S608
        self._add_listing = f"INSERT OR IGNORE INTO {tables}_listing VALUES (?, ?)"  # noqa: S608
        self._key_of_name = f"SELECT k FROM {tables}_listing WHERE name = ?"  # noqa: S608
        self._add_member = f"INSERT INTO {tables}_member VALUES (?, ?, ?, NULL)"  # noqa: S608
        self._end_member = (
            f"UPDATE {tables}_member SET to_pos = ? WHERE item = ? AND k = ? AND to_pos IS NULL"  # noqa: S608
        )

    def entries(self, item: ListedItem) -> Iterable[Entry]:
        date = item.public_date
        return () if date is None else [(k, date) for k in self._keys(item)]

    def apply(self, recorded: Recorded[Event], changes: ListingChanges) -> None:
        for change in self._changes(recorded):
            if (item := changes.find(change.item_id)) is not None:
                self._apply(change, item, recorded.position, changes)

    def _apply(self, change: MemberChange, item: ListedItem, position: int, changes: ListingChanges) -> None:
        if change.is_member:
            self._db.execute(self._add_listing, (change.listing, position))
        row = self._db.execute(self._key_of_name, (change.listing,)).fetchone()
        if row is None or (row[0] in self._keys(item)) == change.is_member:
            return
        k, date = int(row[0]), item.public_date
        if change.is_member:
            self._db.execute(self._add_member, (item.seq, k, position))
        else:
            self._db.execute(self._end_member, (position, item.seq, k))
        if date is not None:
            (changes.enter if change.is_member else changes.leave)(k, date, item)

    def _keys(self, item: ListedItem) -> list[int]:
        return [int(k) for (k,) in self._db.execute(self._keys_of_item, (item.seq,))]
