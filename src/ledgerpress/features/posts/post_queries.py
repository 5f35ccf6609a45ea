"""Posts as their editors see them, as of a snapshot."""

from dataclasses import dataclass
from typing import Final

from ledgerpress.features.posts.content_rows import COLUMNS, ContentRow, values_of_row
from ledgerpress.features.posts.model import PostStatus
from ledgerpress.views import cache_dependencies
from ledgerpress.views.listings.keys import EVERY_POST, status_key
from ledgerpress.views.listings.queries import count
from ledgerpress.views.snapshot import NO_POSITION, Snapshot

_POST: Final = f"""
    SELECT post.seq, post.id, post.created_at, state.version, state.status, state.revision, state.live_revision,
        state.published_at, {COLUMNS}
    FROM post
    JOIN post_state AS state ON state.seq = post.seq
    JOIN content ON content.position = state.content
    WHERE {{which}} AND state.from_pos <= ?
    ORDER BY state.from_pos DESC LIMIT 1
"""  # noqa: S608
_BY_SEQ: Final = _POST.format(which="post.seq = ?")
_BY_ID: Final = _POST.format(which="post.id = ?")
_CREATED_BY: Final = """
    SELECT actor.name FROM change JOIN change_key AS actor ON actor.k = change.actor
    WHERE position = ?1 AND position <= ?2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post(ContentRow):
    """A post. Times are in microseconds since 1970, UTC.

    `live_revision` is that of the content last published, and `published_at` the date that it bears.
    """

    seq: int
    id: str
    created_at: int
    version: int
    status: PostStatus
    has_unpublished_changes: bool
    live_revision: int | None
    published_at: int | None


def by_seq(snapshot: Snapshot, seq: int) -> Post | None:
    """Return a post by the position of its creation."""
    return _post(snapshot, _BY_SEQ, seq)


def by_id(snapshot: Snapshot, post_id: str) -> Post | None:
    """Return a post by id."""
    return _post(snapshot, _BY_ID, post_id)


def by_slug(snapshot: Snapshot, slug: str) -> Post | None:
    """Return the post that a slug, present or former, leads to.

    A slug that leads nowhere is looked up with as many statements, so that time does not tell which slugs there are.
    """
    row = (
        snapshot.about(cache_dependencies.post_slug(slug))
        .execute(
            "SELECT seq FROM post_slug WHERE slug = ? AND from_pos <= ? AND to_pos > ?",
            (slug, snapshot.position, snapshot.position),
        )
        .fetchone()
    )
    return by_seq(snapshot, row[0] if row else NO_POSITION)


def created_by(snapshot: Snapshot, seq: int) -> str | None:
    """Return the id of the actor who wrote a post, by the position of its creation."""
    row = (
        snapshot.about(cache_dependencies.post(seq)).execute(_CREATED_BY, (seq, snapshot.position)).fetchone()
    )
    return row[0] if row else None


def position_of(snapshot: Snapshot, seq: int, version: int) -> int | None:
    """Return the position that brought a post to a version."""
    row = (
        snapshot.about(cache_dependencies.post(seq))
        .execute(
            "SELECT from_pos FROM post_state WHERE seq = ? AND version = ? AND from_pos <= ?",
            (seq, version, snapshot.position),
        )
        .fetchone()
    )
    return row[0] if row else None


def body_versions(snapshot: Snapshot, seq: int) -> list[tuple[int, int]]:
    """Return the versions that brought a post another body, in order, each with its position: the body's key."""
    rows = snapshot.about(cache_dependencies.post(seq)).execute(
        "SELECT version, from_pos FROM post_state JOIN content ON content.position = content"
        " WHERE seq = ? AND from_pos <= ? AND body = from_pos ORDER BY from_pos",
        (seq, snapshot.position),
    )
    return rows.fetchall()


def category_ids(snapshot: Snapshot, seq: int) -> tuple[str, ...]:
    """Return the ids under which a post was put into its categories, whatever has become of these."""
    rows = snapshot.about(cache_dependencies.categories_of(seq)).execute(
        "SELECT category_id FROM post_category WHERE seq = ? AND from_pos <= ? AND to_pos > ? ORDER BY from_pos",
        (seq, snapshot.position, snapshot.position),
    )
    return tuple(category_id for (category_id,) in rows)


def listing_keys(status: PostStatus | None) -> tuple[int, ...]:
    """Return the keys of the listings that hold the posts with a status, or all posts."""
    return EVERY_POST if status is None else (status_key(status),)


def count_posts(snapshot: Snapshot, status: PostStatus | None) -> int:
    """Return how many posts have a status, or exist at all."""
    ks = listing_keys(status)
    db = snapshot.about(*map(cache_dependencies.listing, ks))
    return sum(count(db, k, snapshot.position) for k in ks)


def _post(snapshot: Snapshot, query: str, key: int | str) -> Post | None:
    row = snapshot.about(cache_dependencies.post(key)).execute(query, (key, snapshot.position)).fetchone()
    if row is None:
        return None
    seq, post_id, created_at, version, status, revision, live_revision, published_at, *content = row
    return Post(
        seq=seq,
        id=post_id,
        created_at=created_at,
        version=version,
        status=PostStatus(status),
        has_unpublished_changes=revision != live_revision,
        live_revision=live_revision,
        published_at=published_at,
        **values_of_row(content),
    )
