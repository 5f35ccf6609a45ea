"""A feature for tests: tags of posts, each with a listing of its articles. It touches no code of other features."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.feature import Feature
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

TAGGED: Final = "x.tags.tagged"
UNTAGGED: Final = "x.tags.untagged"


class Tagged(Event, frozen=True):
    post_id: str
    tag: str


class Untagged(Event, frozen=True):
    post_id: str
    tag: str


class TagListings(ListingWriter[ListedItem]):
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def entries(self, item: ListedItem) -> Iterable[Entry]:
        query = "SELECT k FROM x_tags_tagged JOIN x_tags_tag USING (tag) WHERE item = ? AND to_pos IS NULL"
        return (
            [] if item.public_date is None else [(k, item.public_date) for k in self._ints(query, item.seq)]
        )

    def apply(self, recorded: Recorded[Event], changes: ListingChanges) -> None:
        event = recorded.event
        if not isinstance(event, Tagged | Untagged) or (item := changes.find(event.post_id)) is None:
            return
        values = (item.seq, event.tag, recorded.position)
        if isinstance(event, Tagged):
            self._db.execute("INSERT OR IGNORE INTO x_tags_tag VALUES (?, ?)", values[1:])
            self._db.execute("INSERT INTO x_tags_tagged VALUES (?, ?, ?, NULL)", values)
        else:
            query = "UPDATE x_tags_tagged SET to_pos = ?3 WHERE item = ?1 AND tag = ?2 AND to_pos IS NULL"
            self._db.execute(query, values)
        if item.public_date is not None:
            (k,) = self._ints("SELECT k FROM x_tags_tag WHERE tag = ?", event.tag)
            change = changes.enter if isinstance(event, Tagged) else changes.leave
            change(k, item.public_date, item)

    def _ints(self, query: str, value: int | str) -> list[int]:
        return [number for (number,) in self._db.execute(query, (value,))]


def listings_of(db: sqlite3.Connection, items: Sequence[int], position: int) -> Iterable[tuple[int, int]]:
    rows = db.execute(
        "SELECT k, item FROM x_tags_tagged JOIN x_tags_tag USING (tag)"
        " WHERE from_pos <= ?1 AND (to_pos IS NULL OR to_pos > ?1)",
        (position,),
    )
    return [row for row in rows if row[1] in items]


def tag_topic(tag: str) -> Topic:
    return Topic("x.tags", tag)


def topics(snapshot: Snapshot, after: int, events: Sequence[RecentEvent]) -> Iterable[Topic]:
    """Every event is seen: those of posts move articles in and out of the listings of tags."""
    db = snapshot.about()
    if any(event.type in (TAGGED, UNTAGGED) for event in events):
        query = "SELECT tag FROM x_tags_tagged WHERE from_pos > ?1 OR to_pos > ?1"
        yield from (tag_topic(tag) for (tag,) in db.execute(query, (after,)))
    yield from changed_listings(snapshot, after, [k for (k,) in db.execute("SELECT k FROM x_tags_tag")])


TAGS: Final = Feature(
    name="tags",
    requires=("posts",),
    listings=(
        ListingContribution(
            name="tags",
            schema="""
                CREATE TABLE x_tags_tag (tag TEXT PRIMARY KEY, k INTEGER NOT NULL) STRICT;
                CREATE TABLE x_tags_tagged (
                    item INTEGER NOT NULL, tag TEXT NOT NULL, from_pos INTEGER NOT NULL, to_pos INTEGER
                ) STRICT;
            """,
            begin=TagListings,
            listings_of=listings_of,
        ),
    ),
    dependencies=(DependencyRule(frozenset({TAGGED, UNTAGGED}), topics),),
)
