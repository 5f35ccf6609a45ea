"""Which article is in which listing, as of every position, and how many are.

A listing has an integer key: 0 for every article, the position of its creation for a category or an author,
and a negative one for the posts of a status (editors' lists). Sorting is by date, then by the post's `seq`.
"""

import sqlite3
from typing import Final, TypeAlias

import msgspec
from msgspec import UNSET

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event import Event, Withdrawn
from ledgerpress.features.authors.model import AuthorRegistered
from ledgerpress.features.categories import listing_counts
from ledgerpress.features.categories.listing_counts import CategoryCounts
from ledgerpress.features.categories.model import (
    CategoryCreated,
    CategoryDeleted,
    CategoryMerged,
    CategoryMoved,
)
from ledgerpress.features.posts.model import (
    ContentChanged,
    PostArchived,
    PostCategorized,
    PostCreated,
    PostPublished,
    PostStatus,
    PostUnarchived,
    PostUncategorized,
    PostUnpublished,
)
from ledgerpress.views.listings import membership
from ledgerpress.views.listings.keys import EVERY_ARTICLE, status_key
from ledgerpress.views.listings.membership import Memberships
from ledgerpress.views.projection.projector import ProjectorBatch, write_all

_OfAPost: TypeAlias = (
    ContentChanged
    | PostPublished
    | PostCategorized
    | PostUncategorized
    | PostUnpublished
    | PostArchived
    | PostUnarchived
)


class ListedPost(msgspec.Struct, frozen=True, gc=False):
    """What decides in which listings a post is. `article_*` hold what was last published."""

    seq: int
    created_at: int
    status: PostStatus
    author_ids: tuple[str, ...]
    published_at: int | None = None
    article_author_ids: tuple[str, ...] = ()
    category_ids: tuple[str, ...] = ()

    @property
    def is_live(self) -> bool:
        """Whether readers see it."""
        return self.status is PostStatus.PUBLISHED


class ListingsProjector:
    """Keeps the pages and counts of every listing."""

    name: Final = "listings"
    version: Final = 1
    schema: Final = (
        membership.SCHEMA
        + listing_counts.SCHEMA
        + """
        CREATE TABLE listed (id TEXT PRIMARY KEY, state BLOB NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE listed_author (id TEXT PRIMARY KEY, k INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    """
    )
    indexes: Final = ""

    def begin(self, db: sqlite3.Connection) -> ProjectorBatch:
        """Return what writes in the transaction under way."""
        return _Listings(db)


class _Listings:
    """The posts that one transaction comes by as they stand, and the listings that they are in."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._posts: dict[str, ListedPost] = {}
        self._changed: dict[str, ListedPost] = {}
        self._authors: dict[str, int | None] = {}
        self._memberships = Memberships(db)
        self._counts = CategoryCounts(db)

    def apply(self, recorded: Recorded[Event]) -> None:
        """Take in what the event changes."""
        event = recorded.event
        if isinstance(event, _OfAPost):
            if old := self._find(event.post_id):
                self._replace(event.post_id, old, _after(old, event), recorded.position)
        elif isinstance(event, PostCreated):
            self._create(event.post_id, recorded, event.author_ids)
        elif isinstance(event, Withdrawn):
            self._withdrawn(recorded, event)
        else:
            self._apply_to_others(event, recorded.position)

    def flush(self) -> None:
        """Write what was kept back."""
        self._memberships.flush()
        self._counts.flush()
        write_all(
            self._db,
            "INSERT OR REPLACE INTO listed VALUES (?, ?)",
            [(post_id, msgspec.msgpack.encode(post)) for post_id, post in self._changed.items()],
        )

    def _apply_to_others(self, event: Event, at: int) -> None:
        match event:
            case AuthorRegistered(author_id=author_id):
                self._add_author(author_id, at)
            case CategoryCreated(category_id=category_id, parent_id=parent_id):
                self._counts.add(category_id, at, parent_id)
            case CategoryMoved(category_id=category_id, parent_id=parent_id):
                self._counts.move(category_id, parent_id, at)
            case CategoryMerged(category_id=category_id, into_id=into_id):
                self._counts.merge(category_id, into_id, at)
            case CategoryDeleted(category_id=category_id):
                self._counts.delete(category_id, at)
            case _:
                pass

    def _withdrawn(self, recorded: Recorded[Event], event: Withdrawn) -> None:
        """Apply what the type alone tells, as `evolve` does."""
        if event.type == "author.registered":
            self._add_author(event.subject_id, recorded.position)
        if not event.type.startswith("post."):
            return
        post_id = event.subject_id
        old = self._find(post_id)
        if old is None:
            self._create(post_id, recorded, ())
            return
        date = event.recorded_at if old.published_at is None else old.published_at
        known: dict[str, _OfAPost] = {
            "post.published": PostPublished(post_id=post_id, revision=0, published_at=date, correction=None),
            "post.unpublished": PostUnpublished(post_id=post_id),
            "post.archived": PostArchived(post_id=post_id),
            "post.unarchived": PostUnarchived(post_id=post_id),
        }
        if meant := known.get(event.type):
            self._replace(post_id, old, _after(old, meant), recorded.position)

    def _create(self, post_id: str, recorded: Recorded[Event], author_ids: tuple[str, ...]) -> None:
        new = ListedPost(recorded.position, recorded.header.recorded_at, PostStatus.DRAFT, author_ids)
        self._replace(post_id, None, new, recorded.position)

    def _replace(self, post_id: str, old: ListedPost | None, new: ListedPost, at: int) -> None:
        if new == old:
            return
        self._posts[post_id] = self._changed[post_id] = new
        if old is None or old.status is not new.status or new.is_live:
            before = self._listings(old) if old else set()
            after = self._listings(new)
            for k, date in sorted(before - after):
                self._memberships.close(k, date, new.seq, at)
            for k, date in sorted(after - before):
                self._memberships.open(k, date, new.seq, at)
        self._counts.update_post(
            new.seq,
            at,
            old=old.category_ids if old else (),
            was_live=bool(old and old.is_live),
            new=new.category_ids,
            is_live=new.is_live,
        )

    def _listings(self, post: ListedPost) -> set[tuple[int, int]]:
        """Return (listing key, date) for every listing that the post is in."""
        listings = {(status_key(post.status), post.created_at)}
        date = post.published_at
        if post.is_live and date is not None:
            keys = [self._counts.key(category_id) for category_id in post.category_ids]
            keys += [self._author(author_id) for author_id in post.article_author_ids]
            listings.add((EVERY_ARTICLE, date))
            listings.update([(k, date) for k in keys if k is not None])
        return listings

    def _find(self, post_id: str) -> ListedPost | None:
        post = self._posts.get(post_id)
        if post is None:
            row = self._db.execute("SELECT state FROM listed WHERE id = ?", (post_id,)).fetchone()
            if row:
                post = self._posts[post_id] = msgspec.msgpack.decode(row[0], type=ListedPost)
        return post

    def _add_author(self, author_id: str, k: int) -> None:
        self._db.execute("INSERT INTO listed_author VALUES (?, ?)", (author_id, k))
        self._authors[author_id] = k

    def _author(self, author_id: str) -> int | None:
        try:
            return self._authors[author_id]
        except KeyError:
            row = self._db.execute("SELECT k FROM listed_author WHERE id = ?", (author_id,)).fetchone()
            k = self._authors[author_id] = int(row[0]) if row else None
            return k


def _after(old: ListedPost, event: _OfAPost) -> ListedPost:
    change = msgspec.structs.replace
    match event:
        case ContentChanged(author_ids=author_ids):
            return old if author_ids is UNSET else change(old, author_ids=author_ids)
        case PostCategorized(category_id=category_id):
            return change(old, category_ids=tuple(sorted({*old.category_ids, category_id})))
        case PostUncategorized(category_id=category_id):
            return change(old, category_ids=tuple(sorted({*old.category_ids} - {category_id})))
        case PostPublished(published_at=published_at):
            return change(
                old,
                status=PostStatus.PUBLISHED,
                published_at=published_at,
                article_author_ids=old.author_ids,
            )
        case PostUnpublished():
            return change(old, status=PostStatus.UNPUBLISHED)
        case PostArchived():
            return change(old, status=PostStatus.ARCHIVED)
        case PostUnarchived():
            status = PostStatus.DRAFT if old.published_at is None else PostStatus.UNPUBLISHED
            return change(old, status=status)
