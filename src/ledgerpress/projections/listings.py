"""Which article is in which listing, as of every position, and how many are.

A listing has an integer key: 0 for every article, the position of its creation for a category or an author,
and a negative one for the posts of a status (editors' lists). Sorting is by date, then by the post's `seq`.
"""

import sqlite3
from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import UNSET

from ledgerpress.domain.authors import AuthorRegistered
from ledgerpress.domain.categories import CategoryCreated, CategoryDeleted, CategoryMerged, CategoryMoved
from ledgerpress.domain.event import Event, Withdrawn
from ledgerpress.domain.posts import (
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
from ledgerpress.eventlog.codec import Recorded
from ledgerpress.projections import listing_counts, listing_pages
from ledgerpress.readmodels.listing_keys import EVERY_ARTICLE, status_key


class Listed(msgspec.Struct, frozen=True):
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
        listing_pages.SCHEMA
        + listing_counts.SCHEMA
        + """
        CREATE TABLE listed (id TEXT PRIMARY KEY, state BLOB NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE listed_author (id TEXT PRIMARY KEY, k INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    """
    )
    indexes: Final = ""

    def apply(self, recorded: Recorded[Event], db: sqlite3.Connection) -> None:
        """Write what the event changes."""
        at = recorded.position
        match recorded.event:
            case AuthorRegistered(author_id=author_id):
                db.execute("INSERT INTO listed_author VALUES (?, ?)", (author_id, at))
            case Withdrawn(type="author.registered") as gone:
                db.execute("INSERT INTO listed_author VALUES (?, ?)", (gone.subject_id, at))
            case CategoryCreated(category_id=category_id, parent_id=parent_id):
                listing_counts.add_category(db, category_id, at, parent_id)
            case CategoryMoved(category_id=category_id, parent_id=parent_id):
                listing_counts.move_category(db, category_id, parent_id, at)
            case CategoryMerged(category_id=category_id, into_id=into_id):
                listing_counts.merge_category(db, category_id, into_id, at)
            case CategoryDeleted(category_id=category_id):
                listing_counts.delete_category(db, category_id, at)
            case PostCreated(post_id=post_id, author_ids=author_ids):
                _create(db, post_id, recorded, author_ids)
            case Withdrawn(type=type_) if type_.startswith("post."):
                _withdrawn(db, recorded, recorded.event)
            case (
                ContentChanged() | PostCategorized() | PostUncategorized() | PostPublished() | PostUnpublished()
                | PostArchived() | PostUnarchived()
            ) as event:  # fmt: skip
                if old := _load(db, event.post_id):
                    _replace(db, event.post_id, old, _after(old, event), at)
            case _:
                pass


def _create(
    db: sqlite3.Connection, post_id: str, recorded: Recorded[Event], author_ids: tuple[str, ...]
) -> None:
    new = Listed(recorded.position, recorded.header.recorded_at, PostStatus.DRAFT, author_ids)
    _replace(db, post_id, None, new, recorded.position)


def _after(
    old: Listed,
    event: ContentChanged
    | PostCategorized
    | PostUncategorized
    | PostPublished
    | PostUnpublished
    | PostArchived
    | PostUnarchived,
) -> Listed:
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


def _withdrawn(db: sqlite3.Connection, recorded: Recorded[Event], event: Withdrawn) -> None:
    """Apply what the type alone tells, as the post's own `evolve` does."""
    post_id, at = event.subject_id, recorded.position
    old = _load(db, post_id)
    if old is None:
        _create(db, post_id, recorded, ())
        return
    date = event.recorded_at if old.published_at is None else old.published_at
    match event.type:
        case "post.published":
            published = PostPublished(post_id=post_id, revision=0, published_at=date, correction=None)
            _replace(db, post_id, old, _after(old, published), at)
        case "post.unpublished":
            _replace(db, post_id, old, _after(old, PostUnpublished(post_id=post_id)), at)
        case "post.archived":
            _replace(db, post_id, old, _after(old, PostArchived(post_id=post_id)), at)
        case "post.unarchived":
            _replace(db, post_id, old, _after(old, PostUnarchived(post_id=post_id)), at)
        case _:
            pass


def _load(db: sqlite3.Connection, post_id: str) -> Listed | None:
    row = db.execute("SELECT state FROM listed WHERE id = ?", (post_id,)).fetchone()
    return msgspec.msgpack.decode(row[0], type=Listed) if row else None


def _replace(db: sqlite3.Connection, post_id: str, old: Listed | None, new: Listed, at: int) -> None:
    if new == old:
        return
    db.execute("INSERT OR REPLACE INTO listed VALUES (?, ?)", (post_id, msgspec.msgpack.encode(new)))
    before = set(_memberships(db, old)) if old else set()
    after = set(_memberships(db, new))
    for k, date in sorted(before - after):
        listing_pages.close_membership(db, k, date, new.seq, at)
    for k, date in sorted(after - before):
        listing_pages.open_membership(db, k, date, new.seq, at)
    listing_counts.update_post(
        db,
        new.seq,
        at,
        old=old.category_ids if old else (),
        was_live=bool(old and old.is_live),
        new=new.category_ids,
        is_live=new.is_live,
    )


def _memberships(db: sqlite3.Connection, post: Listed) -> Iterable[tuple[int, int]]:
    """Yield (listing key, date) for every listing that the post is in."""
    yield status_key(post.status), post.created_at
    if not post.is_live or post.published_at is None:
        return
    yield EVERY_ARTICLE, post.published_at
    for category_id in post.category_ids:
        if k := listing_counts.category_key(db, category_id):
            yield k, post.published_at
    for author_id in post.article_author_ids:
        row = db.execute("SELECT k FROM listed_author WHERE id = ?", (author_id,)).fetchone()
        if row:
            yield int(row[0]), post.published_at
