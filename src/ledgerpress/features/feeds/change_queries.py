"""The changes of feeds as of a snapshot, and what events invalidate.

A document names the feed that it shows and the items that it contains, so it is cached until one of them changes.
"""

import json
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from ledgerpress.features.feeds.changes_projection import SITE, SITEMAP_SIZE, Kind
from ledgerpress.views.feature_declarations import DependencyRule, RecentEvent
from ledgerpress.views.recorded_time_positions import corrected_sql
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot, Topic

# SQLite must search the changes of an item by the item: "+position" cannot be searched in an index.
_TIME: Final = corrected_sql("recorded_at", "feed_change.position", "?1")
_CHANGES: Final = f"""
    SELECT number, position, {_TIME}, item, kind FROM feed_change
    WHERE feed = ?2 AND number > ?3 AND number <= ?4 AND position <= ?1 ORDER BY number DESC
"""  # noqa: S608
_NEWEST: Final = "SELECT number, position FROM feed_change WHERE feed = ? ORDER BY number DESC LIMIT 1"
_POSITION_OF: Final = "SELECT position FROM feed_change WHERE feed = ? AND number = ?"
_FATES: Final = f"""
    SELECT json_extract(value, '$[0]'), (
        SELECT {_TIME} FROM feed_change
        WHERE feed = ?2 AND item = json_extract(value, '$[0]') AND number >= json_extract(value, '$[1]') AND kind = {Kind.REMOVED:d} AND +position <= ?1
        ORDER BY number LIMIT 1
    ), EXISTS (
        SELECT 1 FROM feed_change
        WHERE feed = ?2 AND item = json_extract(value, '$[0]') AND number > json_extract(value, '$[1]') AND +position <= ?1
    ), EXISTS (
        SELECT 1 FROM feed_change
        WHERE feed = ?2 AND item = json_extract(value, '$[0]') AND number < json_extract(value, '$[1]')
            AND kind = {Kind.REMOVED:d}
    )
    FROM json_each(?3)
"""  # noqa: S608
_REVISED_AT: Final = f"""
    SELECT max({_TIME}) FROM feed_change
    WHERE feed = {SITE} AND item = ?2 AND kind = {Kind.REVISED:d} AND +position <= ?1
"""  # noqa: S608
_CORRECTION: Final = """
    SELECT correction_id, post, is_certain OR EXISTS (SELECT 1 FROM correction WHERE correction.position = item)
    FROM feed_correction WHERE item = ?
"""
_TOUCHED: Final = "SELECT feed, item FROM feed_change WHERE position > ?"
_PART_OF: Final = "SELECT number FROM sitemap_article WHERE seq = ?"


class Change(NamedTuple):
    """A change of a feed. `at` is its recorded time, in microseconds since 1970, UTC."""

    number: int
    position: int
    at: int
    item: int
    kind: Kind


class Fate(NamedTuple):
    """What happened to an item before and after one of its changes. `removed_at` is when it was removed afterwards."""

    removed_at: int | None
    has_later_change: bool
    was_removed_before: bool


class CorrectionItem(NamedTuple):
    """The correction that an item of the feed of corrections is about.

    `post` is the position at which its post was created. `is_certain` is false for a publication, which need not contain
    a correction.
    """

    id: str
    post: int
    is_certain: bool


def feed_topic(feed: int) -> Topic:
    """Return the topic of the newest changes of a feed."""
    return Topic("feed", feed)


def item_topic(item: int) -> Topic:
    """Return the topic of all changes of an item, in all feeds."""
    return Topic("feed item", item)


def sitemap_topic(part: int) -> Topic:
    """Return the topic of the articles in a sitemap."""
    return Topic("sitemap", part)


def last_number(snapshot: Snapshot, feed: int) -> int:
    """Return the number of the last change of a feed; 0 if it has none."""
    db = snapshot.about(feed_topic(feed))
    newest = db.execute(_NEWEST, (feed,)).fetchone()
    if newest is None or newest[1] <= snapshot.position:
        return int(newest[0]) if newest else 0

    def position_of(number: int) -> int:
        row = db.execute(_POSITION_OF, (feed, number)).fetchone()
        return int(row[0])

    return bisect_right(range(1, newest[0] + 1), snapshot.position, key=position_of)


def has_number(snapshot: Snapshot, feed: int, number: int) -> bool:
    """Return whether a feed has a change with this number. If it has, it always will, so no event changes a response."""
    row = snapshot.about().execute(_POSITION_OF, (feed, number)).fetchone()
    return row is not None and row[0] <= snapshot.position


def changes(snapshot: Snapshot, feed: int, after: int, up_to: int) -> list[Change]:
    """Return the changes of a feed with numbers from `after`, exclusive, up to `up_to`, inclusive; the last first."""
    rows = snapshot.about().execute(_CHANGES, (snapshot.position, feed, after, up_to))
    return [Change(number, position, at, item, Kind(kind)) for number, position, at, item, kind in rows]


def fates(snapshot: Snapshot, feed: int, of: Iterable[Change]) -> dict[int, Fate]:
    """Return the fate of the item of each change, by item, as of the snapshot."""
    pairs = [(change.item, change.number) for change in of]
    db = snapshot.about(*(item_topic(item) for item, _ in pairs))
    rows = db.execute(_FATES, (snapshot.position, feed, json.dumps(pairs)))
    return {item: Fate(removed_at, bool(later), bool(before)) for item, removed_at, later, before in rows}


def revised_at(snapshot: Snapshot, seq: int) -> int | None:
    """Return when an article was last revised without being published again; `None` if it never was."""
    row = snapshot.about(item_topic(seq)).execute(_REVISED_AT, (snapshot.position, seq)).fetchone()
    return None if row[0] is None else int(row[0])


def correction_item(snapshot: Snapshot, item: int) -> CorrectionItem | None:
    row = snapshot.about().execute(_CORRECTION, (item,)).fetchone()
    return CorrectionItem(row[0], row[1], bool(row[2])) if row else None


def _invalidated(snapshot: Snapshot, after: int, _: Sequence[RecentEvent]) -> Iterable[Topic]:
    for feed, item in set(snapshot.about().execute(_TOUCHED, (after,))):
        yield feed_topic(feed)
        yield item_topic(item)
        if feed == SITE:
            (number,) = snapshot.about().execute(_PART_OF, (item,)).fetchone()
            yield sitemap_topic((number - 1) // SITEMAP_SIZE)


DEPENDENCIES: Final = DependencyRule(frozenset(), _invalidated)
"""The rule of the changes of feeds. It covers no event type: the events belong to other features."""
