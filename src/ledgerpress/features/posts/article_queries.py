"""Articles as readers see them, as of a snapshot: posts as last published."""

from dataclasses import dataclass
from typing import Any, Final

from ledgerpress.features.posts import content_rows
from ledgerpress.features.posts.content_rows import ContentRow, values_of_row
from ledgerpress.views import cache_dependencies
from ledgerpress.views.listings.keys import EVERY_ARTICLE
from ledgerpress.views.listings.queries import count
from ledgerpress.views.snapshot import NO_POSITION, Snapshot

COLUMNS: Final = f"""
    post.seq, post.id, article.published_at, article.updated_at, {content_rows.COLUMNS}
"""
_ARTICLE: Final = """
    SELECT {columns}
    FROM post
    JOIN article ON article.seq = post.seq
    JOIN content ON content.position = article.content
    WHERE {which} AND article.from_pos <= ? AND article.to_pos > ?
    ORDER BY article.from_pos DESC LIMIT 1
"""
_BY_SEQ: Final = _ARTICLE.format(columns=COLUMNS, which="post.seq = ?")
_BY_ID: Final = _ARTICLE.format(columns=COLUMNS, which="post.id = ?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Article(ContentRow):
    """An article. Times are in microseconds since 1970, UTC."""

    seq: int
    id: str
    published_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class Correction:
    """A public note on what was corrected, and when: microseconds since 1970, UTC."""

    at: int
    note: str


def by_seq(snapshot: Snapshot, seq: int) -> Article | None:
    """Return an article by the position of its post's creation, if readers see it."""
    return _article(snapshot, _BY_SEQ, seq)


def by_id(snapshot: Snapshot, post_id: str) -> Article | None:
    """Return an article by its post's id, if readers see it."""
    return _article(snapshot, _BY_ID, post_id)


def by_slug(snapshot: Snapshot, slug: str) -> Article | None:
    """Return the article that a slug leads to, present or former; one that was never public leads nowhere.

    As many statements look up a slug that is nobody's, one of a draft and one of what is public no more, so that time
    does not tell which there are.
    """
    row = (
        snapshot.about(cache_dependencies.public_slug(slug))
        .execute(
            "SELECT seq FROM post_slug WHERE slug = ? AND from_pos <= ? AND to_pos > ? AND public_from <= ?",
            (slug, snapshot.position, snapshot.position, snapshot.position),
        )
        .fetchone()
    )
    return by_seq(snapshot, row[0] if row else NO_POSITION)


def previous_slugs(snapshot: Snapshot, article: Article) -> list[str]:
    """Return the slugs under which the article was public before, oldest first."""
    rows = snapshot.about(cache_dependencies.article(article.seq)).execute(
        "SELECT slug FROM post_slug WHERE seq = ? AND public_from <= ? AND slug <> ? ORDER BY public_from",
        (article.seq, snapshot.position, article.slug),
    )
    return [slug for (slug,) in rows]


def corrections(snapshot: Snapshot, article: Article) -> list[Correction]:
    """Return the article's public correction notes, oldest first."""
    rows = snapshot.about(cache_dependencies.article(article.seq)).execute(
        "SELECT at, note FROM correction WHERE seq = ? AND position <= ? ORDER BY position",
        (article.seq, snapshot.position),
    )
    return [Correction(*row) for row in rows]


def markdown(snapshot: Snapshot, body: int) -> str:
    """Return the text of a body by the position that brought it, which never changes."""
    (text,) = snapshot.about().execute("SELECT markdown FROM body WHERE position = ?", (body,)).fetchone()
    return str(text)


def count_articles(snapshot: Snapshot, k: int = EVERY_ARTICLE) -> int:
    """Return how many articles there are, in all or in an author's listing."""
    found = count(snapshot.about(cache_dependencies.listing(k)), k, snapshot.position)
    return found - snapshot.only.count_hidden([k], snapshot.position) if snapshot.only else found


def _article(snapshot: Snapshot, query: str, key: int | str) -> Article | None:
    db = snapshot.about(cache_dependencies.article(key))
    row = db.execute(query, (key, snapshot.position, snapshot.position)).fetchone()
    if row is None:
        return None
    if snapshot.only and not snapshot.only.among([row[0]]):
        return None
    return article_of_row(row)


def article_of_row(row: tuple[Any, ...]) -> Article:
    """Return the article of a row with the columns that all queries for articles have."""
    seq, post_id, published_at, updated_at, *content = row
    return Article(
        seq=seq,
        id=post_id,
        published_at=published_at,
        updated_at=updated_at,
        **values_of_row(content),
    )
