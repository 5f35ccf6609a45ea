"""The category tree as of a snapshot: the names, slugs and parents of that moment."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from ledgerpress.features.categories.article_counts_and_listings import DIRECT, WITH_DESCENDANTS
from ledgerpress.features.slugs.model import normalized
from ledgerpress.views.feature_declarations import (
    DependencyRule,
    FieldValue,
    FieldValues,
    Reference,
    Subject,
    plain,
)
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot, Topic

__all__ = [
    "TAXONOMY",
    "Category",
    "ancestors",
    "by_id",
    "by_seq",
    "by_slug",
    "categories_after",
    "children",
    "count_articles",
    "count_categories",
    "listing_keys",
    "reference",
]

TAXONOMY: Final = Topic("taxonomy", 0)
"""The topic of all categories: their names, slugs and places in the tree."""


def count_topic(k: int) -> Topic:
    """Return the topic of both article counts of a category: direct, and with subcategories."""
    return Topic("counted in", k)


DEPENDENCIES: Final = DependencyRule.by_type(
    {
        f"category.{change}": [TAXONOMY]
        for change in ("created", "renamed", "described", "moved", "merged", "unmerged", "deleted")
    }
)

_STATE: Final = """
    SELECT seq, id, version, slug, name, description, parent, merged_into, deleted
    FROM category JOIN category_state USING (seq)
    WHERE {condition} AND from_pos <= ? ORDER BY from_pos DESC LIMIT 1
"""
_BY_SEQ: Final = _STATE.format(condition="seq = ?")
_BY_ID: Final = _STATE.format(condition="id = ?")
_CHILD_EDGE: Final = "kind = 0 AND from_pos <= ?2 AND to_pos > ?2"
_BELOW: Final = """
    WITH RECURSIVE below (k) AS (
        VALUES (:seq)
        UNION SELECT edge.category FROM category_edge AS edge JOIN below ON edge.parent = below.k
        WHERE edge.from_pos <= :position AND edge.to_pos > :position AND (edge.kind = 1 OR :descend)
    )
    SELECT k FROM below
"""
_MERGED: Final = """
    WITH RECURSIVE merged (k) AS (
        VALUES (:seq)
        UNION SELECT edge.category FROM category_edge AS edge JOIN merged ON edge.parent = merged.k
        WHERE edge.from_pos <= :position AND edge.to_pos > :position AND edge.kind = 1
    )
    SELECT seq, id FROM category JOIN merged ON seq = k
"""


class Category(msgspec.Struct, frozen=True, gc=False):
    """An existing category. `seq` is the position of its creation; `parent` is the `seq` of the parent, or 0."""

    seq: int
    id: str
    version: int
    slug: str
    name: str
    description: str | None
    parent: int


def by_seq(snapshot: Snapshot, seq: int) -> Category | None:
    """Return the category created at `seq`, or the one that it was merged into; `None` if that was deleted."""
    return snapshot.once(("category", seq), lambda snapshot: _existing(_last(snapshot, _BY_SEQ, seq)))


def by_id(snapshot: Snapshot, category_id: str) -> Category | None:
    """Return the category with an id, or the one that it was merged into; `None` if that was deleted."""
    key = "category", category_id
    return snapshot.once(key, lambda snapshot: _existing(_last(snapshot, _BY_ID, category_id)))


def by_slug(snapshot: Snapshot, slug: str) -> Category | None:
    """Return the category that a current or former slug leads to."""
    slug = normalized(slug)
    return snapshot.once(("category by slug", slug), lambda snapshot: _by_slug(snapshot, slug))


def _by_slug(snapshot: Snapshot, slug: str) -> Category | None:
    query = "SELECT seq FROM category_slug WHERE slug = ?1 AND from_pos <= ?2 AND to_pos > ?2"
    row = _row(snapshot, query, slug)
    return by_seq(snapshot, row[0]) if row else None


def children(snapshot: Snapshot, seq: int) -> list[Category]:
    """Return the direct subcategories of the category `seq`, or for 0 the top-level categories, sorted by name."""
    query = f"SELECT category FROM category_edge WHERE parent = ?1 AND {_CHILD_EDGE}"  # noqa: S608
    rows = snapshot.about(TAXONOMY).execute(query, (seq, snapshot.position)).fetchall()
    existing = [category for (child,) in rows if (category := by_seq(snapshot, child))]
    return sorted(existing, key=lambda category: (category.name.casefold(), category.seq))


def ancestors(snapshot: Snapshot, category: Category) -> list[Category]:
    """Return the categories above a category, from the top down.

    A withdrawn move can leave a cycle; then each category is returned once.
    """
    path: list[Category] = []
    while category.parent and (parent := by_seq(snapshot, category.parent)) and parent not in path:
        path.insert(0, parent)
        category = parent
    return path


def categories_after(snapshot: Snapshot, seq: int, limit: int) -> list[Category]:
    """Return up to `limit` existing categories created after position `seq`, in the order of creation."""
    query = (
        f"SELECT category FROM category_edge WHERE category > ?1 AND {_CHILD_EDGE} ORDER BY category LIMIT ?3"  # noqa: S608
    )
    rows = snapshot.about(TAXONOMY).execute(query, (seq, snapshot.position, limit)).fetchall()
    return [category for (child,) in rows if (category := by_seq(snapshot, child))]


def count_categories(snapshot: Snapshot) -> int:
    query = f"SELECT count(*) FROM category_edge WHERE category > ?1 AND {_CHILD_EDGE}"  # noqa: S608
    row = _row(snapshot, query, 0)
    return int(row[0]) if row else 0


def listing_keys(snapshot: Snapshot, category: Category, *, descend: bool) -> list[int]:
    """Return the keys of the listings that together contain the posts of a category.

    `descend` includes the listings of subcategories.
    """
    key = "listings of category", category.seq, descend
    return snapshot.once(key, lambda snapshot: _listing_keys(snapshot, category.seq, descend=descend))


def _listing_keys(snapshot: Snapshot, seq: int, *, descend: bool) -> list[int]:
    below = {"seq": seq, "position": snapshot.position, "descend": descend}
    return [k for (k,) in snapshot.about(TAXONOMY).execute(_BELOW, below)]


def with_merged(snapshot: Snapshot, category_id: str) -> list[tuple[int, str]]:
    """Return `seq` and id of the category that an id leads to, deleted or not, and of all categories merged into it."""
    row = _last(snapshot, _BY_ID, category_id)
    if row is None:
        return []
    values = {"seq": row[0], "position": snapshot.position}
    return snapshot.about(TAXONOMY).execute(_MERGED, values).fetchall()


def count_articles(snapshot: Snapshot, category: Category, *, descend: bool) -> int:
    """Return how many articles are in the category, each counted once. `descend` includes subcategories."""
    key = "articles in category", category.seq, descend
    articles = snapshot.once(key, lambda snapshot: _count(snapshot, category.seq, descend=descend))
    if snapshot.only and articles:
        keys = listing_keys(snapshot, category, descend=descend)
        articles -= snapshot.only.count_hidden(keys, snapshot.position)
    return articles


def _count(snapshot: Snapshot, seq: int, *, descend: bool) -> int:
    row = (
        snapshot.about(TAXONOMY, count_topic(seq))
        .execute(
            "SELECT n FROM category_count WHERE k = ? AND scope = ? AND from_pos <= ? ORDER BY from_pos DESC LIMIT 1",
            (seq, WITH_DESCENDANTS if descend else DIRECT, snapshot.position),
        )
        .fetchone()
    )
    return int(row[0]) if row else 0


_CHANGED_COUNTS: Final = """
    WITH RECURSIVE above (k) AS (
        SELECT listed_category.k FROM json_each(?2) CROSS JOIN listed_category ON listed_category.k = value
        UNION SELECT c.above FROM listed_category AS c JOIN above ON above.k = c.k WHERE c.above IS NOT NULL
    )
    SELECT k FROM above
    WHERE EXISTS (SELECT 1 FROM category_count AS c WHERE c.k = above.k AND scope = 0 AND from_pos > ?1)
        OR EXISTS (SELECT 1 FROM category_count AS c WHERE c.k = above.k AND scope = 1 AND from_pos > ?1)
"""


def changed_counts(snapshot: Snapshot, after: int, ks: Sequence[int]) -> Iterable[Topic]:
    """Return the topics of counts that changed after position `after`, for the categories `ks` and those above them."""
    rows = snapshot.about().execute(_CHANGED_COUNTS, (after, json.dumps(ks)))
    return [count_topic(k) for (k,) in rows]


_VALUES: Final = """
    SELECT name, slug, description, parent, merged_into, deleted FROM category JOIN category_state USING (seq)
    WHERE id = ? AND from_pos <= ? ORDER BY from_pos DESC LIMIT 1
"""


def _row(snapshot: Snapshot, query: str, key: int | str) -> tuple[Any, ...] | None:
    row: tuple[Any, ...] | None = snapshot.about(TAXONOMY).execute(query, (key, snapshot.position)).fetchone()
    return row


def reference(snapshot: Snapshot, category_id: str) -> Reference:
    """Return a reference to the category with this id, even if it was merged or deleted."""
    row = _row(snapshot, _VALUES, category_id)
    return Reference("Category", category_id, row[0] if row else "")


def _values(snapshot: Snapshot, category_id: str) -> FieldValues:
    row = _row(snapshot, _VALUES, category_id)
    if row is None or row[5]:
        return {}
    name, slug, description, parent, merged_into, _ = row
    return {
        "name": plain(name),
        "slug": plain(slug),
        "description": plain(description),
        "parent": FieldValue(parent, lambda: _reference_at(snapshot, parent)),
        "mergedInto": FieldValue(merged_into, lambda: _reference_at(snapshot, merged_into)),
    }


def _reference_at(snapshot: Snapshot, seq: int | None) -> Reference | None:
    row = snapshot.about(TAXONOMY).execute("SELECT id FROM category WHERE seq = ?", (seq,)).fetchone()
    return reference(snapshot, row[0]) if row else None


def _values_before_event(snapshot: Snapshot, category_id: str, event_type: str) -> FieldValues:
    """Return the category that an event merged: its own changes lead to the other category afterwards."""
    return _itself(snapshot, category_id) if event_type == "category.merged" else {}


def _values_after_event(snapshot: Snapshot, category_id: str, event_type: str) -> FieldValues:
    """Return the category that exists again because an event undid its merge."""
    return _itself(snapshot, category_id) if event_type == "category.unmerged" else {}


def _itself(snapshot: Snapshot, category_id: str) -> FieldValues:
    return {"category": FieldValue(category_id, lambda: reference(snapshot, category_id))}


SUBJECT: Final = Subject(
    kind="category",
    values=_values,
    event_values=_values_after_event,
    event_values_before=_values_before_event,
)


def _last(snapshot: Snapshot, query: str, key: int | str) -> tuple[Any, ...] | None:
    """Return the last row of a category, or of the category that it was merged into."""
    row = _row(snapshot, query, key)
    while row is not None and row[7] is not None:
        row = _row(snapshot, _BY_SEQ, row[7])
    return row


def _existing(row: tuple[Any, ...] | None) -> Category | None:
    return None if row is None or row[8] else Category(*row[:7])


def is_category_in_use(snapshot: Snapshot, category_ids: frozenset[str]) -> bool:
    """Return whether any post, published or not, is in one of the categories."""
    query = "SELECT 1 FROM listed_in JOIN listed_category USING (k) WHERE id = ? LIMIT 1"
    return any(snapshot.db.execute(query, (category_id,)).fetchone() for category_id in sorted(category_ids))
