"""Posts as of a snapshot, as editors see them, and the values of a post for its history."""

import json
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from ledgerpress.features.categories import queries as categories
from ledgerpress.features.categories.queries import Category
from ledgerpress.features.posts.listings_projection import EVERY_POST, STATUS_KEYS
from ledgerpress.features.posts.model import PostStatus
from ledgerpress.features.posts.projector import COLUMNS, ContentRow, values_of_row
from ledgerpress.features.slugs.model import normalized
from ledgerpress.views.listings.queries import count, listing_topic
from ledgerpress.views.recorded_time_positions import corrected_sql
from ledgerpress.views.snapshot_and_cache_dependencies import NO_POSITION, Snapshot, Topic

__all__ = [
    "Post",
    "by_id",
    "by_seq",
    "by_slug",
    "categories_of",
    "count_posts",
    "created_by",
    "markdown",
    "post_topic",
]

_POST: Final = f"""
    SELECT post.seq, post.id, {corrected_sql("post.created_at", "post.seq", "?2")},
        state.version, state.status, state.revision, state.live_revision,
        {corrected_sql("state.published_at", "state.dated_by", "?2")}, {COLUMNS}
    FROM post
    JOIN post_state AS state ON state.seq = post.seq
    JOIN content ON content.position = state.content
    WHERE {{condition}} AND state.from_pos <= ?2
    ORDER BY state.from_pos DESC LIMIT 1
"""  # noqa: S608
_BY_SEQ: Final = _POST.format(condition="post.seq = ?1")
_BY_ID: Final = _POST.format(condition="post.id = ?1")
_CATEGORIES: Final = """
    SELECT inside.seq, inside.category_id
    FROM json_each(?1) AS wanted CROSS JOIN post_category AS inside ON inside.seq = wanted.value
    WHERE inside.from_pos <= ?2 AND inside.to_pos > ?2
"""
_CREATED_BY: Final = """
    SELECT actor.name FROM change JOIN change_key AS actor ON actor.k = change.actor
    WHERE position = ?1 AND position <= ?2
"""


class Post(ContentRow, frozen=True, kw_only=True, gc=False):
    """A post. Times are in microseconds since 1970, UTC.

    `live_revision` is the revision last published, and `published_at` its publication date.
    """

    seq: int
    id: str
    created_at: int
    version: int
    status: PostStatus
    has_unpublished_changes: bool
    live_revision: int | None
    published_at: int | None


def post_topic(key: int | str) -> Topic:
    """Return the topic of all changes of a post. `key` is the position of its creation, or its id."""
    return Topic("post", key, internal=True)


def categories_topic(seq: int) -> Topic:
    return Topic("categories of", seq)


def post_slug_topic(slug: str) -> Topic:
    """Return the topic of the post that a current or former slug leads to, published or not."""
    return Topic("post slug", slug, internal=True)


def by_seq(snapshot: Snapshot, seq: int) -> Post | None:
    """Return the post created at position `seq`."""
    return _post(snapshot, _BY_SEQ, seq)


def by_id(snapshot: Snapshot, post_id: str) -> Post | None:
    return _post(snapshot, _BY_ID, post_id)


def by_slug(snapshot: Snapshot, slug: str) -> Post | None:
    """Return the post that a current or former slug leads to.

    Executes the same number of statements for unknown slugs, so that response times do not reveal which slugs exist.
    """
    query = (
        "SELECT seq FROM post_slug WHERE slug = ?1 AND from_pos <= ?2 AND to_pos > ?2"
        " ORDER BY from_pos LIMIT 1"
    )
    slug = normalized(slug)
    row = snapshot.about(post_slug_topic(slug)).execute(query, (slug, snapshot.position)).fetchone()
    return by_seq(snapshot, row[0] if row else NO_POSITION)


def markdown(snapshot: Snapshot, body: int) -> str:
    """Return the text of the body that was recorded at position `body`. The text never changes."""
    (text,) = snapshot.about().execute("SELECT markdown FROM body WHERE position = ?", (body,)).fetchone()
    return str(text)


def created_by(snapshot: Snapshot, seq: int) -> str | None:
    """Return the id of the actor who created the post at position `seq`."""
    row = snapshot.about(post_topic(seq)).execute(_CREATED_BY, (seq, snapshot.position)).fetchone()
    return row[0] if row else None


def position_of(snapshot: Snapshot, seq: int, version: int) -> int | None:
    """Return the position at which a post got a version."""
    query = "SELECT from_pos FROM post_state WHERE seq = ? AND version = ? AND from_pos <= ?"
    row = snapshot.about(post_topic(seq)).execute(query, (seq, version, snapshot.position)).fetchone()
    return row[0] if row else None


def body_versions(snapshot: Snapshot, seq: int, *, after: int, limit: int) -> list[tuple[int, int]]:
    """Return the next versions after the position `after` that changed the body of a post, at most `limit`, in order.

    Each has its position, the key of the body.
    """
    rows = snapshot.about(post_topic(seq)).execute(
        "SELECT version, from_pos FROM post_state JOIN content ON content.position = content"
        " WHERE seq = ? AND from_pos > ? AND from_pos <= ? AND body = from_pos ORDER BY from_pos LIMIT ?",
        (seq, after, snapshot.position, limit),
    )
    return rows.fetchall()


def positions_of(snapshot: Snapshot, seq: int, versions: Iterable[int]) -> dict[int, int]:
    """Return the positions at which a post got the versions, by version."""
    rows = snapshot.about(post_topic(seq)).execute(
        "SELECT version, from_pos FROM post_state WHERE seq = ? AND from_pos <= ?"
        " AND version IN (SELECT value FROM json_each(?))",
        (seq, snapshot.position, msgspec.json.encode(list(versions)).decode()),
    )
    return dict(rows.fetchall())


def category_ids(snapshot: Snapshot, seq: int) -> tuple[str, ...]:
    """Return the category ids of a post as recorded, including ids of merged or deleted categories."""
    rows = snapshot.about(categories_topic(seq)).execute(
        "SELECT category_id FROM post_category WHERE seq = ? AND from_pos <= ? AND to_pos > ? ORDER BY from_pos",
        (seq, snapshot.position, snapshot.position),
    )
    return tuple(category_id for (category_id,) in rows)


def main_category(snapshot: Snapshot, seq: int) -> Category | None:
    """Return the category in which a post has been for longest."""
    existing = (categories.by_id(snapshot, category_id) for category_id in category_ids(snapshot, seq))
    return next(filter(None, existing), None)


def categories_of(snapshot: Snapshot, seq: int) -> list[Category]:
    """Return the categories of a post, sorted by name, each once."""
    return categories_of_each(snapshot, [seq])[seq]


def categories_of_each(snapshot: Snapshot, seqs: Sequence[int]) -> dict[int, list[Category]]:
    """Return the categories of each post by the `seq` of the post, sorted by name, each once."""
    return snapshot.once(("categories of posts", *seqs), lambda snapshot: _categories_of_each(snapshot, seqs))


def _categories_of_each(snapshot: Snapshot, seqs: Sequence[int]) -> dict[int, list[Category]]:
    db = snapshot.about(*map(categories_topic, seqs))
    rows = db.execute(_CATEGORIES, (json.dumps(seqs), snapshot.position)).fetchall()
    ids = dict.fromkeys(category_id for _, category_id in rows)
    existing = {category_id: categories.by_id(snapshot, category_id) for category_id in ids}
    # Two ids may lead to the same category, if others were merged into it.
    of_post: dict[int, dict[int, Category]] = {seq: {} for seq in seqs}
    for seq, category_id in rows:
        if category := existing[category_id]:
            of_post[seq][category.seq] = category
    return {seq: sorted(of_post[seq].values(), key=_by_name) for seq in seqs}


def _by_name(category: Category) -> tuple[str, int]:
    return category.name.casefold(), category.seq


def listing_keys(status: PostStatus | None) -> tuple[int, ...]:
    """Return the keys of the listings that contain the posts with a status, or all posts."""
    return EVERY_POST if status is None else (STATUS_KEYS[status],)


def count_posts(snapshot: Snapshot, status: PostStatus | None) -> int:
    """Return the number of posts with a status, or of all posts."""
    ks = listing_keys(status)
    db = snapshot.about(*map(listing_topic, ks))
    return sum(count(db, k, snapshot.position) for k in ks)


def _post(snapshot: Snapshot, query: str, key: int | str) -> Post | None:
    row = snapshot.about(post_topic(key)).execute(query, (key, snapshot.position)).fetchone()
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


# The creator of a post is the actor of its first event. The position of this event is the `seq` of the post.
_WRITTEN_BY: Final = """    FROM change
    WHERE actor = (SELECT k FROM change_key WHERE name = :actor)
        AND type = (SELECT k FROM change_key WHERE name = 'post.created')
        AND position BETWEEN :low AND :high
"""
_OF_STATUS: Final = """
        AND (
            SELECT status FROM post_state WHERE seq = change.position AND from_pos <= :now ORDER BY from_pos DESC LIMIT 1
        ) = :status
"""


def positions_written_by(
    snapshot: Snapshot,
    actor_id: str,
    status: PostStatus | None,
    low: int,
    high: int,
    limit: int,
    newest_first: bool,
) -> list[int]:
    """Return the positions of the first `limit` posts that the actor created from position `low` to `high`."""
    order = "DESC" if newest_first else "ASC"
    query = (
        f"SELECT position {_WRITTEN_BY}{_OF_STATUS if status else ''} ORDER BY position {order} LIMIT :limit"
    )
    rows = snapshot.db.execute(query, {**_parameters(snapshot, actor_id, status, low, high), "limit": limit})
    return [position for (position,) in rows]


def count_written_by(snapshot: Snapshot, actor_id: str, status: PostStatus | None) -> int:
    """Return the number of posts that the actor created. Reads each of them, so it takes linear time."""
    query = f"SELECT count(*) {_WRITTEN_BY}{_OF_STATUS if status else ''}"
    values = _parameters(snapshot, actor_id, status, 1, snapshot.position)
    return int(snapshot.db.execute(query, values).fetchone()[0])


def _parameters(
    snapshot: Snapshot, actor_id: str, status: PostStatus | None, low: int, high: int
) -> dict[str, object]:
    values: dict[str, object] = {"actor": actor_id, "low": low, "high": min(high, snapshot.position)}
    return {**values, "now": snapshot.position, "status": status.value} if status else values
