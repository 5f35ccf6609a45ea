"""The numbered changes of each feed: what appeared in a feed, was revised, or was removed, in the order of the log.

A number never changes, and depends on no text, so the changes from one number to another are always the same: an archive
of a feed is such a range. Each article also has a number among the articles that were ever public, which determines
its sitemap.

The rows are written together with the listings: the state of a post comes from the listings of posts, and the places of
categories and authors are read from the rows that the listings of these features have written for earlier events.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable
from enum import IntEnum
from typing import Final, NamedTuple

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn, remaining_event
from ledgerpress.eventlog.kernel_events import PayloadWithdrawn
from ledgerpress.features.authors.model import AuthorRegistered
from ledgerpress.features.categories.model import EVENTS as CATEGORY_EVENTS
from ledgerpress.features.posts.corrections import model as corrections
from ledgerpress.features.posts.listings_projection import ListedPost
from ledgerpress.features.posts.model import (
    POSTS,
    PostArchived,
    PostCategorized,
    PostPublished,
    PostUncategorized,
    PostUnpublished,
)
from ledgerpress.views.listings.projector import ListingChanges, ListingContribution, ListingWriter
from ledgerpress.views.projection.projector_interface_and_composition import write_all

SITE: Final = 0
"""The key of the feed of all articles. The key of a category's or an author's feed is the position of its creation."""
CORRECTIONS: Final = -1
"""The key of the feed of all corrections."""
SITEMAP_SIZE: Final = 2_000
"""Articles per sitemap. It MUST never change: the rows of `sitemap_change` depend on it."""


class Kind(IntEnum):
    """What happened to an item of a feed. The numbers are stored and MUST never change."""

    REMOVED = 0
    PUBLISHED = 1
    """It was published, published again, or added to the feed."""
    REVISED = 2
    """It was not published again, but readers must learn of a change: of a correction, or of a withdrawn text."""


class _Change(NamedTuple):
    feed: int
    item: int
    kind: Kind


_NEWEST_NUMBER: Final = "SELECT max(number) FROM feed_change WHERE feed = ?"
_LAST_PUBLISHED: Final = (
    f"SELECT position FROM feed_change WHERE feed = {SITE} AND item = ? AND kind = {Kind.PUBLISHED:d}"  # noqa: S608
    " ORDER BY number DESC LIMIT 1"
)
_SITEMAP_NUMBER: Final = "SELECT number FROM sitemap_article WHERE seq = ?"
# A category that was merged into another is below it.
_FEEDS: Final = """
    WITH RECURSIVE above (k) AS (
        SELECT own.k FROM json_each(?1) CROSS JOIN listed_category AS own ON own.id = value
        UNION SELECT category.above FROM listed_category AS category JOIN above USING (k) WHERE category.above IS NOT NULL
    )
    SELECT k FROM above UNION SELECT author.k FROM json_each(?2) CROSS JOIN listed_author AS author ON author.id = value
"""
_ADD_CORRECTION: Final = "INSERT OR IGNORE INTO feed_correction VALUES (?, ?, ?, ?, 0)"
_CORRECTIONS_OF: Final = "SELECT item FROM feed_correction WHERE post = ? AND NOT is_retracted ORDER BY item"
_CORRECTION: Final = "SELECT item FROM feed_correction WHERE post = ? AND correction_id = ?"


class _FeedChanges(ListingWriter[ListedPost]):
    """Writes the changes of all feeds in one transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._numbers: dict[int, int] = {}
        self._feeds_of: dict[tuple[tuple[str, ...], tuple[str, ...]], frozenset[int]] = {}
        self._rows: list[tuple[int, ...]] = []
        self._before: tuple[int, object] | None = None
        self._sitemap_numbers: dict[int, int] = {}
        self._new_articles: list[tuple[int, int]] = []
        self._sitemap_rows: dict[tuple[int, int], int] = {}
        self._last_article: int | None = None

    def item_changed(self, before: object, after: object, position: int) -> None:
        if isinstance(after, ListedPost):
            self._before = position, before

    def apply(self, recorded: Recorded[Event], changes: ListingChanges) -> None:
        event = recorded.event
        if isinstance(event, PayloadWithdrawn):
            self._withdraw(recorded, event, changes)
            return
        stream = recorded.header.stream
        if not stream.startswith(f"{POSTS.prefix}."):
            self._feeds_of.clear()  # of a category or an author
            return
        post = changes.find(POSTS.id_in(stream))
        if isinstance(post, ListedPost):
            type_ = event.type if isinstance(event, Withdrawn) else None
            if isinstance(event, PostPublished) or type_ == "post.published":
                self._publish(recorded, post)
            elif type_ is None or not type_.startswith("correction."):
                self._move(recorded, post)
            self._correct(recorded, post)

    def flush(self) -> None:
        write_all(self._db, "INSERT INTO feed_change VALUES (?, ?, ?, ?, ?, ?)", self._rows)
        write_all(self._db, "INSERT INTO sitemap_article VALUES (?, ?)", self._new_articles)
        sitemap_rows = [(*key, now) for key, now in self._sitemap_rows.items()]
        write_all(self._db, "INSERT INTO sitemap_change VALUES (?, ?, ?)", sitemap_rows)
        self._rows.clear()
        self._new_articles.clear()
        self._sitemap_rows.clear()

    def _publish(self, recorded: Recorded[Event], post: ListedPost) -> None:
        before, at = self._state_before(recorded, post), recorded.position
        feeds, left = self._feeds(post), self._feeds(before)
        if before is not None and before.published_at is None:
            self._sitemap_numbers[post.seq] = self._new_number(post.seq)
        self._write(recorded, [_Change(feed, post.seq, Kind.REMOVED) for feed in sorted(left - feeds)])
        self._write(recorded, [_Change(feed, post.seq, Kind.PUBLISHED) for feed in sorted(feeds)])
        if before is not None and before.public_date is None:
            self._write(recorded, self._corrections(post, Kind.PUBLISHED))
        if before is not None and before.published_at is not None:
            # The event may contain a correction. Whether it does must not matter here: its text can be withdrawn.
            id_ = corrections.id_of_note(POSTS.id_in(recorded.header.stream), recorded.header.stream_version)
            self._db.execute(_ADD_CORRECTION, (at, id_, post.seq, 0))
            self._write(recorded, [_Change(CORRECTIONS, at, Kind.PUBLISHED)])

    def _move(self, recorded: Recorded[Event], post: ListedPost) -> None:
        """Record that an article is no longer public, or that its categories have changed."""
        before = self._state_before(recorded, post)
        feeds, left = self._feeds(post), self._feeds(before)
        self._write(recorded, [_Change(feed, post.seq, Kind.REMOVED) for feed in sorted(left - feeds)])
        self._write(recorded, [_Change(feed, post.seq, Kind.PUBLISHED) for feed in sorted(feeds - left)])
        if left and not feeds:
            self._write(recorded, self._corrections(post, Kind.REMOVED))

    def _correct(self, recorded: Recorded[Event], post: ListedPost) -> None:
        event, at = remaining_event(recorded.event), recorded.position
        item: int | None
        match event:
            case corrections.CorrectionRecorded(correction_id=id_):
                self._db.execute(_ADD_CORRECTION, (at, id_, post.seq, 1))
                item, kind = at, Kind.PUBLISHED
            case corrections.CorrectionReworded(correction_id=id_):
                item, kind = self._correction(post, id_), Kind.PUBLISHED
            case corrections.CorrectionRetracted(correction_id=id_):
                item, kind = self._correction(post, id_), Kind.REMOVED
                self._db.execute("UPDATE feed_correction SET is_retracted = 1 WHERE item = ?", (item,))
            case _:
                return
        if post.public_date is not None and item is not None:
            self._write(recorded, [_Change(CORRECTIONS, item, kind)])
            self._revise(recorded, post)

    def _withdraw(self, recorded: Recorded[Event], event: PayloadWithdrawn, changes: ListingChanges) -> None:
        """Let readers replace their copy of an article if a published text of it was withdrawn."""
        stream, position = str(event.header["stream"]), event.header["position"]
        post = changes.find(POSTS.id_in(stream)) if stream.startswith(f"{POSTS.prefix}.") else None
        if not isinstance(post, ListedPost) or post.public_date is None or not isinstance(position, int):
            return
        self.flush()
        published = self._db.execute(_LAST_PUBLISHED, (post.seq,)).fetchone()
        is_correction = str(event.header["type"]).startswith("correction.")
        if is_correction and event.remainder is not None:
            item = self._correction(post, str(event.remainder.data.get("correctionId")))
            if item is not None:
                kind = Kind.REMOVED if item == position else Kind.REVISED
                self._write(recorded, [_Change(CORRECTIONS, item, kind)])
        # What readers cannot notice otherwise, such as the withdrawal of a draft's text, must not show here.
        if is_correction or (published is not None and position <= published[0]):
            self._revise(recorded, post)

    def _revise(self, recorded: Recorded[Event], post: ListedPost) -> None:
        self._write(recorded, [_Change(feed, post.seq, Kind.REVISED) for feed in sorted(self._feeds(post))])

    def _state_before(self, recorded: Recorded[Event], post: ListedPost) -> ListedPost | None:
        """Return the state of the post before the event; `None` if the event created it."""
        if self._before is None or self._before[0] != recorded.position:
            return post
        before = self._before[1]
        return before if isinstance(before, ListedPost) else None

    def _feeds(self, post: ListedPost | None) -> frozenset[int]:
        """Return the feeds that contain the post: none if it is not public."""
        if post is None or post.public_date is None:
            return frozenset()
        ids = post.category_ids, post.article_author_ids
        feeds = self._feeds_of.get(ids)
        if feeds is None:
            rows = self._db.execute(_FEEDS, tuple(map(json.dumps, ids)))
            feeds = self._feeds_of[ids] = frozenset([SITE, *(int(k) for (k,) in rows)])
        return feeds

    def _corrections(self, post: ListedPost, kind: Kind) -> list[_Change]:
        rows = self._db.execute(_CORRECTIONS_OF, (post.seq,)).fetchall()
        return [_Change(CORRECTIONS, int(item), kind) for (item,) in rows]

    def _correction(self, post: ListedPost, correction_id: str) -> int | None:
        row = self._db.execute(_CORRECTION, (post.seq, correction_id)).fetchone()
        return int(row[0]) if row else None

    def _write(self, recorded: Recorded[Event], changes: Iterable[_Change]) -> None:
        at, now = recorded.position, recorded.header.recorded_at
        for feed, item, kind in changes:
            number = self._numbers[feed] = self._newest(feed) + 1
            self._rows.append((feed, number, at, now, item, kind))
            if feed == SITE:
                part = (self._number_in_sitemaps(item) - 1) // SITEMAP_SIZE
                self._sitemap_rows[part, at] = now

    def _newest(self, feed: int) -> int:
        number = self._numbers.get(feed)
        if number is None:
            number = self._db.execute(_NEWEST_NUMBER, (feed,)).fetchone()[0] or 0
        return number

    def _number_in_sitemaps(self, seq: int) -> int:
        """Return the number of an article among all that were ever public. It gets one if it has none."""
        number = self._sitemap_numbers.get(seq)
        if number is None:
            row = self._db.execute(_SITEMAP_NUMBER, (seq,)).fetchone()
            number = self._sitemap_numbers[seq] = int(row[0]) if row else self._new_number(seq)
        return number

    def _new_number(self, seq: int) -> int:
        if self._last_article is None:
            (last,) = self._db.execute("SELECT max(number) FROM sitemap_article").fetchone()
            self._last_article = last or 0
        self._last_article += 1
        self._new_articles.append((seq, self._last_article))
        return self._last_article


def _listings_of(_: sqlite3.Connection, __: Collection[int], ___: int) -> Iterable[tuple[int, int]]:
    """Return nothing: the changes of feeds are not a listing with a count."""
    return ()


LISTINGS: Final = ListingContribution(
    name="feeds",
    schema="""
        CREATE TABLE feed_change (
            feed INTEGER NOT NULL, number INTEGER NOT NULL,
            position INTEGER NOT NULL, recorded_at INTEGER NOT NULL,
            item INTEGER NOT NULL,              -- the position at which the post was created, or the correction recorded
            kind INTEGER NOT NULL, PRIMARY KEY (feed, item, number)
        ) STRICT, WITHOUT ROWID;
        CREATE UNIQUE INDEX feed_change_number ON feed_change (feed, number);
        CREATE INDEX feed_change_at ON feed_change (position);
        CREATE TABLE feed_correction (
            item INTEGER PRIMARY KEY, correction_id TEXT NOT NULL, post INTEGER NOT NULL,
            is_certain INTEGER NOT NULL,        -- 0 for a publication, which need not contain a correction
            is_retracted INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX feed_correction_of ON feed_correction (post);
        CREATE TABLE sitemap_article (seq INTEGER PRIMARY KEY, number INTEGER NOT NULL UNIQUE) STRICT;
        CREATE TABLE sitemap_change (
            part INTEGER NOT NULL, position INTEGER NOT NULL, recorded_at INTEGER NOT NULL,
            PRIMARY KEY (part, position)
        ) STRICT, WITHOUT ROWID;
    """,
    events=frozenset(
        {
            *(event.type for event in (*corrections.EVENTS, *CATEGORY_EVENTS)),
            PostPublished,
            PostUnpublished,
            PostArchived,
            PostCategorized,
            PostUncategorized,
            AuthorRegistered,
            PayloadWithdrawn,
            Withdrawn,
        }
    ),
    text_of=frozenset(),
    begin=_FeedChanges,
    listings_of=_listings_of,
)
