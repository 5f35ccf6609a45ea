"""The category tree as of a snapshot: names, slugs and places as they then were."""

from dataclasses import dataclass
from typing import Final

from ledgerpress.views import cache_dependencies
from ledgerpress.views.listings.keys import DIRECT, WITH_DESCENDANTS
from ledgerpress.views.snapshot import Snapshot

_STATE: Final = """
    SELECT seq, id, version, slug, name, description, parent, merged_into, deleted
    FROM category JOIN category_state USING (seq)
    WHERE {which} AND from_pos <= ? ORDER BY from_pos DESC LIMIT 1
"""
_BY_SEQ: Final = _STATE.format(which="seq = ?")
_BY_ID: Final = _STATE.format(which="id = ?")
_BELOW: Final = """
    WITH RECURSIVE below (k) AS (
        VALUES (:seq)
        UNION SELECT edge.category FROM category_edge AS edge JOIN below ON edge.parent = below.k
        WHERE edge.from_pos <= :position AND edge.to_pos > :position AND (edge.kind = 1 OR :descend)
    )
    SELECT k FROM below
"""
_TAKEN_OVER: Final = """
    WITH RECURSIVE one (k) AS (
        VALUES (:seq)
        UNION SELECT edge.category FROM category_edge AS edge JOIN one ON edge.parent = one.k
        WHERE edge.from_pos <= :position AND edge.kind = 1
    )
    SELECT seq, id FROM category JOIN one ON seq = k
"""


@dataclass(frozen=True, slots=True)
class Category:
    """A category that exists; `seq` is the position of its creation, `parent` the parent's, 0 at the top."""

    seq: int
    id: str
    version: int
    slug: str
    name: str
    description: str | None
    parent: int


def by_seq(snapshot: Snapshot, seq: int) -> Category | None:
    """Return the category that `seq` stands for: itself, or the one that took it over; `None` once deleted."""
    return _follow(snapshot, _BY_SEQ, seq)


def by_id(snapshot: Snapshot, category_id: str) -> Category | None:
    """Return the category that an id stands for: itself, or the one that took it over; `None` once deleted."""
    return _follow(snapshot, _BY_ID, category_id)


def by_slug(snapshot: Snapshot, slug: str) -> Category | None:
    """Return the category that a slug, present or former, leads to."""
    row = (
        snapshot.about(cache_dependencies.TAXONOMY)
        .execute(
            "SELECT seq FROM category_slug WHERE slug = ? AND from_pos <= ? AND to_pos > ?",
            (slug, snapshot.position, snapshot.position),
        )
        .fetchone()
    )
    return by_seq(snapshot, row[0]) if row else None


def children(snapshot: Snapshot, seq: int) -> list[Category]:
    """Return the categories directly under one, or with 0 those at the top, by name."""
    rows = (
        snapshot.about(cache_dependencies.TAXONOMY)
        .execute(
            "SELECT category FROM category_edge WHERE parent = ? AND from_pos <= ? AND to_pos > ? AND kind = 0",
            (seq, snapshot.position, snapshot.position),
        )
        .fetchall()
    )
    found = [category for (child,) in rows if (category := by_seq(snapshot, child))]
    return sorted(found, key=lambda category: (category.name.casefold(), category.seq))


def ancestors(snapshot: Snapshot, category: Category) -> list[Category]:
    """Return the categories above one, from the top down; of a cycle, left by a withdrawn move, each once."""
    found: list[Category] = []
    while category.parent and (parent := by_seq(snapshot, category.parent)) and parent not in found:
        found.insert(0, parent)
        category = parent
    return found


def categories_after(snapshot: Snapshot, seq: int, limit: int) -> list[Category]:
    """Return up to `limit` existing categories created after the position `seq`, in the order of creation."""
    rows = (
        snapshot.about(cache_dependencies.TAXONOMY)
        .execute(
            "SELECT category FROM category_edge WHERE category > ? AND kind = 0 AND from_pos <= ? AND to_pos > ?"
            " ORDER BY category LIMIT ?",
            (seq, snapshot.position, snapshot.position, limit),
        )
        .fetchall()
    )
    return [category for (one,) in rows if (category := by_seq(snapshot, one))]


def count_categories(snapshot: Snapshot) -> int:
    """Return how many categories exist."""
    (count,) = (
        snapshot.about(cache_dependencies.TAXONOMY)
        .execute(
            "SELECT count(*) FROM category_edge WHERE kind = 0 AND from_pos <= ? AND to_pos > ?",
            (snapshot.position, snapshot.position),
        )
        .fetchone()
    )
    return int(count)


def of_post(snapshot: Snapshot, seq: int) -> list[Category]:
    """Return the categories that a post is in, by name, each once."""
    rows = (
        snapshot.about(cache_dependencies.categories_of(seq))
        .execute(
            "SELECT category_id FROM post_category WHERE seq = ? AND from_pos <= ? AND to_pos > ?",
            (seq, snapshot.position, snapshot.position),
        )
        .fetchall()
    )
    found = {category.seq: category for (one,) in rows if (category := by_id(snapshot, one))}
    return sorted(found.values(), key=lambda category: (category.name.casefold(), category.seq))


def listing_keys(snapshot: Snapshot, category: Category, *, descend: bool) -> list[int]:
    """Return the keys of the listings that together are the category's, with those below it or without."""
    below = {"seq": category.seq, "position": snapshot.position, "descend": descend}
    return [k for (k,) in snapshot.about(cache_dependencies.TAXONOMY).execute(_BELOW, below)]


def standing_for(snapshot: Snapshot, category_id: str) -> list[tuple[int, str]]:
    """Return seq and id of the category that an id stands for, deleted or not, and of those that it took over."""
    row = (
        snapshot.about(cache_dependencies.TAXONOMY)
        .execute(_BY_ID, (category_id, snapshot.position))
        .fetchone()
    )
    while row is not None and row[7] is not None:
        row = (
            snapshot.about(cache_dependencies.TAXONOMY)
            .execute(_BY_SEQ, (row[7], snapshot.position))
            .fetchone()
        )
    if row is None:
        return []
    return (
        snapshot.about(cache_dependencies.TAXONOMY)
        .execute(_TAKEN_OVER, {"seq": row[0], "position": snapshot.position})
        .fetchall()
    )


def count_articles(snapshot: Snapshot, category: Category, *, descend: bool) -> int:
    """Return how many articles are in the category, each counted once."""
    row = (
        snapshot.about(cache_dependencies.TAXONOMY, cache_dependencies.counted_in(category.seq))
        .execute(
            "SELECT n FROM category_count WHERE k = ? AND scope = ? AND from_pos <= ? ORDER BY from_pos DESC LIMIT 1",
            (category.seq, WITH_DESCENDANTS if descend else DIRECT, snapshot.position),
        )
        .fetchone()
    )
    found = int(row[0]) if row else 0
    if snapshot.only and found:
        found -= snapshot.only.count_hidden(
            listing_keys(snapshot, category, descend=descend), snapshot.position
        )
    return found


def _follow(snapshot: Snapshot, query: str, key: int | str) -> Category | None:
    row = snapshot.about(cache_dependencies.TAXONOMY).execute(query, (key, snapshot.position)).fetchone()
    while row is not None and row[7] is not None:
        row = (
            snapshot.about(cache_dependencies.TAXONOMY)
            .execute(_BY_SEQ, (row[7], snapshot.position))
            .fetchone()
        )
    if row is None or row[8]:
        return None
    return Category(*row[:7])


def is_category_in_use(snapshot: Snapshot, category_ids: frozenset[str]) -> bool:
    """Return whether any post, published or not, is in one of the categories."""
    query = "SELECT 1 FROM listed_in JOIN listed_category USING (k) WHERE id = ? LIMIT 1"
    return any(snapshot.db.execute(query, (category_id,)).fetchone() for category_id in sorted(category_ids))
