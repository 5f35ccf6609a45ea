"""What the articles of one page need, read for all of them at once: one query where each would ask its own."""

import json
from collections.abc import Iterable, Sequence
from typing import Final

from ledgerpress.features import people_queries
from ledgerpress.features.categories import queries as categories
from ledgerpress.features.categories.queries import Category
from ledgerpress.features.people_queries import Author
from ledgerpress.features.posts.article_queries import COLUMNS, Article, article_of_row
from ledgerpress.views import cache_dependencies
from ledgerpress.views.snapshot import Snapshot

_ARTICLES: Final = """
    SELECT {columns}
    FROM json_each(?1) AS asked
    CROSS JOIN post ON post.seq = asked.value
    CROSS JOIN article ON article.seq = post.seq
    CROSS JOIN content ON content.position = article.content
    WHERE article.from_pos <= ?2 AND article.to_pos > ?2
"""
_BY_SEQS: Final = _ARTICLES.format(columns=COLUMNS)
_CATEGORIES: Final = """
    SELECT inside.seq, inside.category_id
    FROM json_each(?1) AS asked CROSS JOIN post_category AS inside ON inside.seq = asked.value
    WHERE inside.from_pos <= ?2 AND inside.to_pos > ?2
"""


def by_seqs(snapshot: Snapshot, seqs: Sequence[int]) -> list[Article | None]:
    """Return articles by the positions of their posts' creation, in that order; `None` where readers see none."""
    rows = (
        snapshot.about(*map(cache_dependencies.article, seqs))
        .execute(_BY_SEQS, (json.dumps(seqs), snapshot.position))
        .fetchall()
    )
    found = {row[0]: article_of_row(row) for row in rows}
    if snapshot.only:
        shown = snapshot.only.among(seqs)
        found = {seq: one for seq, one in found.items() if seq in shown}
    return [found.get(seq) for seq in seqs]


def categories_of(snapshot: Snapshot, seqs: Sequence[int]) -> dict[int, list[Category]]:
    """Return the categories that each of the posts is in, by name, each once."""
    rows = (
        snapshot.about(*map(cache_dependencies.categories_of, seqs))
        .execute(_CATEGORIES, (json.dumps(seqs), snapshot.position))
        .fetchall()
    )
    known = {one: categories.by_id(snapshot, one) for one in dict.fromkeys(one for _, one in rows)}
    # A category that took over another may be meant by two ids.
    found: dict[int, dict[int, Category]] = {seq: {} for seq in seqs}
    for seq, category_id in rows:
        if category := known[category_id]:
            found[seq][category.seq] = category
    return {seq: sorted(those.values(), key=_by_name) for seq, those in found.items()}


def authors_of(snapshot: Snapshot, articles: Iterable[Article]) -> dict[str, Author]:
    """Return the authors of all of the articles, by id."""
    ids = dict.fromkeys(author_id for one in articles for author_id in one.author_ids)
    return {author_id: one for author_id in ids if (one := people_queries.author(snapshot, author_id))}


def _by_name(category: Category) -> tuple[str, int]:
    return category.name.casefold(), category.seq
