"""Articles as of a snapshot: posts as last published, which is what readers see."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from ledgerpress.features.posts.listings_projection import EVERY_ARTICLE
from ledgerpress.features.posts.projector import COLUMNS, ContentRow, values_of_row
from ledgerpress.features.slugs.model import normalized
from ledgerpress.views.listings.queries import count, listing_topic
from ledgerpress.views.recorded_time_positions import corrected_sql
from ledgerpress.views.snapshot_and_cache_dependencies import NO_POSITION, RECORD_BYTES, Snapshot, Topic

__all__ = [
    "Article",
    "article_topic",
    "by_id",
    "by_seq",
    "by_seqs",
    "by_slug",
    "count_articles",
    "previous_slugs",
    "public_slug_topic",
]

_COLUMNS: Final = f"""post.seq, post.id,
    {corrected_sql("article.published_at", "article.dated_by", "?2")},
    {corrected_sql("article.republished_at", "article.from_pos", "?2")}, {COLUMNS}"""
_ARTICLE: Final = """
    SELECT {columns}
    FROM post
    JOIN article ON article.seq = post.seq
    JOIN content ON content.position = article.content
    WHERE {condition} AND article.from_pos <= ?2 AND article.to_pos > ?2
    ORDER BY article.from_pos DESC LIMIT 1
"""
_BY_SEQ: Final = _ARTICLE.format(columns=_COLUMNS, condition="post.seq = ?1")
_BY_ID: Final = _ARTICLE.format(columns=_COLUMNS, condition="post.id = ?1")
_SEQ_OF_SLUG: Final = (
    "SELECT seq FROM post_slug WHERE slug = ?1 AND from_pos <= ?2 AND to_pos > ?2 AND public_from <= ?2"
    " ORDER BY from_pos LIMIT 1"
)
_PUBLISHED_REVISIONS: Final = f"""
    SELECT state.revision, {COLUMNS}
    FROM article
    JOIN post_state AS state ON state.seq = article.seq AND state.from_pos = article.from_pos
    JOIN content ON content.position = article.content
    WHERE article.seq = ? AND article.from_pos <= ?
    ORDER BY article.from_pos
"""  # noqa: S608
_BY_SEQS: Final = f"""
    SELECT {_COLUMNS}
    FROM json_each(?1) AS wanted
    CROSS JOIN post ON post.seq = wanted.value
    CROSS JOIN article ON article.seq = post.seq
    CROSS JOIN content ON content.position = article.content
    WHERE article.from_pos <= ?2 AND article.to_pos > ?2
"""  # noqa: S608


class Article(ContentRow, frozen=True, kw_only=True, gc=False):
    """An article. Times are in microseconds since 1970, UTC."""

    seq: int
    id: str
    published_at: int
    updated_at: int


def article_topic(key: int | str) -> Topic:
    """Return the topic of an article. `key` is the position at which its post was created, or the id of the post."""
    return Topic("article", key)


def public_slug_topic(slug: str) -> Topic:
    """Return the topic of the article that a slug leads to. Changes of drafts do not invalidate it."""
    return Topic("public slug", slug)


def by_seq(snapshot: Snapshot, seq: int) -> Article | None:
    """Return the article of the post created at position `seq`, if it is public."""
    return _article(snapshot, _BY_SEQ, seq)


def by_seqs(snapshot: Snapshot, seqs: Sequence[int]) -> list[Article | None]:
    """Return the articles of the posts created at the positions `seqs`, in that order; `None` if not public."""
    key = "articles", *seqs
    return snapshot.once(key, lambda snapshot: _by_seqs(snapshot, seqs), lambda _: RECORD_BYTES * len(seqs))


def _by_seqs(snapshot: Snapshot, seqs: Sequence[int]) -> list[Article | None]:
    db = snapshot.about(*map(article_topic, seqs))
    rows = db.execute(_BY_SEQS, (json.dumps(seqs), snapshot.position))
    articles = {row[0]: _article_of(row) for row in rows}
    public_seqs = snapshot.only.among(seqs) if snapshot.only else articles
    return [articles.get(seq) if seq in public_seqs else None for seq in seqs]


def by_id(snapshot: Snapshot, post_id: str) -> Article | None:
    """Return the article of a post by id, if it is public."""
    return _article(snapshot, _BY_ID, post_id)


def by_slug(snapshot: Snapshot, slug: str) -> Article | None:
    """Return the article that a current or former slug leads to. A slug that was never public leads to none.

    Executes the same number of statements for unknown slugs, slugs of drafts and slugs of articles that are no longer
    public, so that response times do not reveal which of them exist.
    """
    slug = normalized(slug)
    return snapshot.once(("article by slug", slug), lambda snapshot: _by_slug(snapshot, slug))


def _by_slug(snapshot: Snapshot, slug: str) -> Article | None:
    row = snapshot.about(public_slug_topic(slug)).execute(_SEQ_OF_SLUG, (slug, snapshot.position)).fetchone()
    # Not `by_seq`: it would remember that there is no article, and the next unknown slug would need one statement less.
    return _read_article(snapshot, _BY_SEQ, row[0] if row else NO_POSITION)


def has_led_to_article(snapshot: Snapshot, slug: str) -> bool:
    """Return whether a slug leads to a post that was public with it, also if it is not public now."""
    row = snapshot.about(public_slug_topic(slug)).execute(_SEQ_OF_SLUG, (normalized(slug), snapshot.position))
    return row.fetchone() is not None


def previous_slugs(snapshot: Snapshot, article: Article) -> list[str]:
    """Return the former public slugs of an article, oldest first."""
    rows = snapshot.about(article_topic(article.seq)).execute(
        "SELECT slug FROM post_slug WHERE seq = ? AND public_from <= ? AND slug <> ? ORDER BY public_from",
        (article.seq, snapshot.position, article.slug),
    )
    return [slug for (slug,) in rows]


def published_revisions(snapshot: Snapshot, seq: int) -> list[tuple[int, ContentRow]]:
    """Return the published revisions of a post with their content, in the order of publication.

    A revision that was published again, with another date, is listed again.
    """
    rows = snapshot.about(article_topic(seq)).execute(_PUBLISHED_REVISIONS, (seq, snapshot.position))
    return [(revision, ContentRow(**values_of_row(content))) for revision, *content in rows]


def count_articles(snapshot: Snapshot, k: int = EVERY_ARTICLE) -> int:
    """Return the number of articles in the listing `k`: of all articles, or of an author."""
    articles = count(snapshot.about(listing_topic(k)), k, snapshot.position)
    return articles - snapshot.only.count_hidden([k], snapshot.position) if snapshot.only else articles


def _article(snapshot: Snapshot, query: str, key: int | str) -> Article | None:
    return snapshot.once(("article", key), lambda snapshot: _read_article(snapshot, query, key))


def _read_article(snapshot: Snapshot, query: str, key: int | str) -> Article | None:
    db = snapshot.about(article_topic(key))
    row = db.execute(query, (key, snapshot.position)).fetchone()
    is_hidden = row is None or (snapshot.only and not snapshot.only.among([row[0]]))
    return None if is_hidden else _article_of(row)


def _article_of(row: tuple[Any, ...]) -> Article:
    seq, post_id, published_at, republished_at, *content = row
    values = values_of_row(content)
    updated_at = published_at if republished_at is None else max(republished_at, published_at)
    return Article(seq=seq, id=post_id, published_at=published_at, updated_at=updated_at, **values)


# An article changes where one of its rows begins or ends: of its slug, its content, its categories or a correction. It
# also changes where one of its categories is merged, and where a clock is corrected that recorded one of its dates.
_CANDIDATES: Final = """
    WITH RECURSIVE owner AS (
        SELECT seq, from_pos, to_pos, public_from FROM post_slug WHERE slug = ?1 AND public_from IS NOT NULL
    ), inside_of (category, from_pos, to_pos) AS (
        SELECT category.seq, inside.from_pos, inside.to_pos FROM owner JOIN post_category AS inside USING (seq)
            JOIN category ON category.id = inside.category_id
        UNION SELECT edge.parent, inside_of.from_pos, inside_of.to_pos
            FROM inside_of JOIN category_edge AS edge USING (category) WHERE edge.kind = 1
    ), merge (from_pos, to_pos) AS (
        SELECT edge.from_pos, edge.to_pos FROM inside_of JOIN category_edge AS edge USING (category)
        WHERE edge.kind = 1 AND edge.to_pos > inside_of.from_pos AND edge.from_pos < inside_of.to_pos
    )
    SELECT from_pos AS position FROM owner WHERE from_pos BETWEEN ?2 AND ?3
    UNION SELECT to_pos FROM owner WHERE to_pos BETWEEN ?2 AND ?3
    UNION SELECT public_from FROM owner WHERE public_from BETWEEN ?2 AND ?3
    UNION SELECT article.from_pos FROM owner JOIN article USING (seq) WHERE article.from_pos BETWEEN ?2 AND ?3
    UNION SELECT article.to_pos FROM owner JOIN article USING (seq) WHERE article.to_pos BETWEEN ?2 AND ?3
    UNION SELECT inside.from_pos FROM owner JOIN post_category AS inside USING (seq)
        WHERE inside.from_pos BETWEEN ?2 AND ?3
    UNION SELECT inside.to_pos FROM owner JOIN post_category AS inside USING (seq)
        WHERE inside.to_pos BETWEEN ?2 AND ?3
    UNION SELECT from_pos FROM merge WHERE from_pos BETWEEN ?2 AND ?3
    UNION SELECT to_pos FROM merge WHERE to_pos BETWEEN ?2 AND ?3
    UNION SELECT correction.from_pos FROM owner JOIN post USING (seq) JOIN correction ON correction.post_id = post.id
        WHERE correction.from_pos BETWEEN ?2 AND ?3
    UNION SELECT clock.position FROM owner JOIN article USING (seq) JOIN clock_correction AS clock
        ON article.from_pos < clock.position AND article.to_pos > clock.position AND (
            article.dated_by BETWEEN clock.first_position AND clock.last_position
            OR article.republished_at IS NOT NULL
            AND article.from_pos BETWEEN clock.first_position AND clock.last_position
        )
        WHERE clock.position BETWEEN ?2 AND ?3
    UNION SELECT clock.position FROM owner JOIN post USING (seq) JOIN correction ON correction.post_id = post.id
        JOIN clock_correction AS clock ON correction.from_pos < clock.position AND correction.to_pos > clock.position AND (
            correction.position BETWEEN clock.first_position AND clock.last_position
            OR correction.reworded_by BETWEEN clock.first_position AND clock.last_position
        )
        WHERE correction.retracted_at IS NULL AND clock.position BETWEEN ?2 AND ?3
    ORDER BY position
"""


_HAS_OWNER: Final = "SELECT 1 FROM post_slug WHERE slug = ? AND public_from IS NOT NULL LIMIT 1"
# The withdrawals of events of posts that were public, each with whether the post still has the slug ?1.
_WITHDRAWALS: Final = """
    SELECT DISTINCT record.position, EXISTS (
        SELECT 1 FROM post_slug WHERE post_slug.seq = post.seq AND slug = ?1 AND public_from IS NOT NULL
    )
    FROM change_key AS type CROSS JOIN change AS record ON record.type = type.k
    CROSS JOIN change_key AS subject ON subject.k = record.subject
    CROSS JOIN post ON post.id = substr(subject.name, length('post.') + 1)
    WHERE type.name = 'payload.withdrawn' AND record.position BETWEEN ?2 AND ?3 AND subject.name LIKE 'post.%'
        AND EXISTS (SELECT 1 FROM article WHERE article.seq = post.seq)
"""


def next_change(snapshot: Snapshot, slug: str, after: int) -> int | None:
    """Return the first position after `after` at which an article with this slug appeared, changed or disappeared.

    Only public changes count, so this reveals nothing about drafts. If no article has had the slug, it may have been
    withdrawn: then each withdrawal from a post that was public counts.
    """
    values = (normalized(slug), after + 1, snapshot.position)
    positions = {position for (position,) in snapshot.db.execute(_CANDIDATES, values)}
    withdrawals = dict(snapshot.db.execute(_WITHDRAWALS, values).fetchall())
    # Withdrawals are rare: most steps need not know whether an article has had the slug.
    has_owner = not withdrawals or snapshot.db.execute(_HAS_OWNER, values[:1]).fetchone() is not None
    for position in sorted(positions | withdrawals.keys()):
        if position in withdrawals and not has_owner:
            return int(position)
        is_candidate = position in positions or withdrawals[position]
        if is_candidate and any(
            by_slug(replace(snapshot, position=at), slug) for at in (position - 1, position)
        ):
            return int(position)
    return None
