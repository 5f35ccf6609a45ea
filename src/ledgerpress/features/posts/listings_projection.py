"""The listings of posts: all articles for readers, and posts by status for editors."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from msgspec import UNSET

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn
from ledgerpress.eventlog.kernel_events import ClockCorrected
from ledgerpress.features.posts import model
from ledgerpress.views.feature_declarations import HiddenRule
from ledgerpress.views.listings.projector import Entry, ListingChanges, ListingContribution, ListingWriter
from ledgerpress.views.listings.queries import members
from ledgerpress.views.projection.projector_interface_and_composition import write_all

EVERY_ARTICLE: Final = 0
"""The key of the listing of all articles."""

STATUS_KEYS: Final = {
    model.PostStatus.DRAFT: -1,
    model.PostStatus.PUBLISHED: -2,
    model.PostStatus.UNPUBLISHED: -3,
    model.PostStatus.ARCHIVED: -4,
}
"""The keys of the listings by status, for editors.

Each row of a listing stores its key. A key MUST never change; a new status gets the next free number.
"""

EVERY_POST: Final = tuple(STATUS_KEYS.values())
"""The keys of the listings that together contain each post once."""

NO_LONGER_PUBLIC: Final = (STATUS_KEYS[model.PostStatus.UNPUBLISHED], STATUS_KEYS[model.PostStatus.ARCHIVED])
"""The keys of the listings that contain all posts that are no longer public; they also contain archived drafts."""


class ListedPost(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The state that determines the listings of a post. `article_author_ids` are the authors as last published.

    `created_at` and `published_at` are the times in the events. `dated_by` is the position of the event whose recorded
    time is `published_at`; `None` if the date was given. The shifts are corrections of clocks, in microseconds.
    """

    seq: int
    created_at: int
    status: model.PostStatus
    author_ids: tuple[str, ...]
    published_at: int | None = None
    article_author_ids: tuple[str, ...] = ()
    category_ids: tuple[str, ...] = ()
    dated_by: int | None = None
    created_shift: int = 0
    published_shift: int = 0

    @property
    def creation_date(self) -> int:
        """The date by which editors' listings are sorted."""
        return self.created_at + self.created_shift

    @property
    def public_date(self) -> int | None:
        """The publication date, by which readers' listings are sorted; `None` if the post is not public."""
        if self.published_at is None or self.status is not model.PostStatus.PUBLISHED:
            return None
        return self.published_at + self.published_shift


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(ListedPost).decode


class _PostListings(ListingWriter[ListedPost]):
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._posts: dict[str, ListedPost] = {}
        self._changed: dict[str, ListedPost] = {}
        self._dated: list[tuple[int, str]] = []

    def find(self, item_id: str) -> ListedPost | None:
        post = self._posts.get(item_id)
        if post is None:
            row = self._db.execute("SELECT state FROM listed WHERE id = ?", (item_id,)).fetchone()
            if row:
                post = self._posts[item_id] = _decode(row[0])
        return post

    def entries(self, item: ListedPost) -> Iterable[Entry]:
        return () if item.public_date is None else ((EVERY_ARTICLE, item.public_date),)

    def apply(self, recorded: Recorded[Event], changes: ListingChanges) -> None:
        event = recorded.event
        if isinstance(event, model.ContentChanged) and event.author_ids is UNSET:
            return
        if isinstance(event, ClockCorrected):
            self._correct_clock(event, changes)
            return
        if not isinstance(event, Withdrawn):
            post_id = getattr(event, "post_id", None)
        else:
            post_id = event.subject_id if event.type.startswith("post.") else None
        if not isinstance(post_id, str):
            return
        old = None if isinstance(event, model.PostCreated) else self.find(post_id)
        if isinstance(event, Withdrawn):
            event = model.known_event(event, _lifecycle(old) if old else None)
        if old is not None:
            new = _after(old, event, recorded)
        elif isinstance(event, model.PostCreated):
            at, created_at = recorded.position, recorded.header.recorded_at
            new = ListedPost(at, created_at, model.PostStatus.DRAFT, event.author_ids)
        else:
            return
        if isinstance(event, _SEEN_IN_LISTINGS):
            changes.touch(new)
        if new == old:
            return
        if old is None or new.dated_by == recorded.position:
            self._dated.append((recorded.position, post_id))
        self._replace(post_id, old, new, changes)

    def flush(self) -> None:
        self._write_dated()
        write_all(
            self._db,
            "INSERT OR REPLACE INTO listed VALUES (?, ?)",
            [(post_id, _encode(post)) for post_id, post in self._changed.items()],
        )

    def _correct_clock(self, event: ClockCorrected, changes: ListingChanges) -> None:
        """Move the posts whose dates are recorded times of the corrected events."""
        self._write_dated()
        first, last = event.first_position, event.last_position
        for (post_id,) in self._db.execute(_DATED, (first, last)).fetchall():
            if (old := self.find(post_id)) is None:
                continue
            new = old
            if first <= old.seq <= last:
                new = msgspec.structs.replace(new, created_shift=event.shift)
            if old.dated_by is not None and first <= old.dated_by <= last:
                new = msgspec.structs.replace(new, published_shift=event.shift)
            if new != old:
                self._replace(post_id, old, new, changes)

    def _replace(
        self, post_id: str, old: ListedPost | None, new: ListedPost, changes: ListingChanges
    ) -> None:
        self._posts[post_id] = self._changed[post_id] = new
        if old is None:
            changes.enter(STATUS_KEYS[new.status], new.creation_date, new)
        elif old.status is not new.status or old.created_shift != new.created_shift:
            changes.leave(STATUS_KEYS[old.status], old.creation_date, old)
            changes.enter(STATUS_KEYS[new.status], new.creation_date, new)
        changes.replace(old, new)

    def _write_dated(self) -> None:
        write_all(self._db, "INSERT INTO dated_post VALUES (?, ?)", self._dated)
        self._dated = []


_SEEN_IN_LISTINGS: Final = (model.PostPublished, model.PostCategorized, model.PostUncategorized)
"""Events of posts that change what readers see of an article in the listings in which it stays."""
_DATED: Final = "SELECT DISTINCT id FROM dated_post WHERE position BETWEEN ? AND ? ORDER BY id"


def _lifecycle(post: ListedPost) -> model.Lifecycle:
    return model.Lifecycle(post.status, published_at=post.published_at)


def _after(post: ListedPost, event: Event, recorded: Recorded[Event]) -> ListedPost:
    change = msgspec.structs.replace
    match event:
        case model.ContentChanged(author_ids=author_ids):
            return post if author_ids is UNSET else change(post, author_ids=author_ids)
        case model.PostCategorized(category_id=category_id):
            return change(post, category_ids=tuple(sorted({*post.category_ids, category_id})))
        case model.PostUncategorized(category_id=category_id):
            return change(post, category_ids=tuple(sorted({*post.category_ids} - {category_id})))
        case _:
            before = _lifecycle(post)
            after = model.advance(before, event)
            if not isinstance(event, model.PostPublished):
                return change(post, status=after.status, published_at=after.published_at)
            is_same_date = after.published_at == before.published_at
            return change(
                post,
                status=after.status,
                published_at=after.published_at,
                dated_by=model.dating_position(before, post.dated_by, event, recorded),
                published_shift=post.published_shift if is_same_date else 0,
                article_author_ids=post.author_ids,
            )


# The listings (?3 for all articles, categories, authors) that contained the articles ?1 as of ?2, if they were public.
_LISTINGS_OF: Final = """
    WITH public AS MATERIALIZED (
        SELECT seq, content FROM json_each(?1) JOIN article ON seq = value WHERE from_pos <= ?2 AND to_pos > ?2
    )
    SELECT ?3, seq FROM public
    UNION ALL
    SELECT category.seq, public.seq FROM public
    CROSS JOIN post_category AS inside ON inside.seq = public.seq
    CROSS JOIN category ON category.id = inside.category_id
    WHERE inside.from_pos <= ?2 AND inside.to_pos > ?2
    UNION ALL
    SELECT author.seq, public.seq FROM public
    CROSS JOIN content ON content.position = public.content
    CROSS JOIN json_each(content.author_ids) AS author_id
    CROSS JOIN author ON author.id = author_id.value
"""
# Only the last revision by then is read: an article can have thousands.
_PUBLIC: Final = """
    SELECT value FROM json_each(?1)
    WHERE ?2 < (SELECT to_pos FROM article WHERE seq = value AND from_pos <= ?2 ORDER BY from_pos DESC LIMIT 1)
"""


def _listings_of(db: sqlite3.Connection, seqs: Sequence[int], position: int) -> Iterable[Entry]:
    return db.execute(_LISTINGS_OF, (json.dumps(seqs), position, EVERY_ARTICLE))


def _public(db: sqlite3.Connection, seqs: Sequence[int], position: int) -> list[int]:
    return [seq for (seq,) in db.execute(_PUBLIC, (json.dumps(seqs), position))]


def _no_longer_public(db: sqlite3.Connection, position: int) -> list[int]:
    return [seq for k in NO_LONGER_PUBLIC for seq in members(db, k, position)]


LISTINGS: Final = ListingContribution(
    name="posts",
    version=2,
    schema="""
        CREATE TABLE listed (id TEXT PRIMARY KEY, state BLOB NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE dated_post (
            position INTEGER PRIMARY KEY,       -- of an event whose recorded time is a date of the post
            id TEXT NOT NULL
        ) STRICT;
    """,
    events=frozenset({*(event.type for event in model.EVENTS), ClockCorrected, Withdrawn}),
    text_of=frozenset(),
    begin=_PostListings,
    listings_of=_listings_of,
)
HIDDEN: Final = HiddenRule(public=_public, no_longer_public=_no_longer_public)
