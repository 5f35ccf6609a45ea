"""The listings that a category page ever combined, and the positions at which the tree or the category changed."""

from typing import Final, NamedTuple

from ledgerpress.features.categories.queries import TAXONOMY, Category
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot
from ledgerpress.views.temporal_and_step_rows import OPEN

_EVER_BELOW: Final = """
    WITH RECURSIVE below (k) AS (
        VALUES (?1)
        UNION SELECT edge.category FROM category_edge AS edge JOIN below ON edge.parent = below.k
        WHERE edge.from_pos <= ?2
    )
"""
_KEYS: Final = f"{_EVER_BELOW} SELECT k FROM below"  # noqa: S608
_CHANGES: Final = f"""
    {_EVER_BELOW}
    SELECT from_pos AS position FROM category_state WHERE seq = ?1 AND from_pos <= ?2
    UNION SELECT edge.from_pos FROM below JOIN category_edge AS edge ON edge.parent = below.k WHERE edge.from_pos <= ?2
    UNION SELECT edge.to_pos FROM below JOIN category_edge AS edge ON edge.parent = below.k
        WHERE edge.to_pos <= ?2 AND edge.to_pos < {OPEN}
    ORDER BY position
"""  # noqa: S608


class ListingsOverTime(NamedTuple):
    """The keys of listings, and positions in order."""

    ks: tuple[int, ...]
    changes: tuple[int, ...]


def listings_over_time(snapshot: Snapshot, category: Category) -> ListingsOverTime:
    """Return all listings that the page of a category ever combined, and when the tree below it or itself changed."""
    seq = category.seq
    return snapshot.once(("listings over time", seq), lambda snapshot: _listings_over_time(snapshot, seq))


def _listings_over_time(snapshot: Snapshot, seq: int) -> ListingsOverTime:
    db, values = snapshot.about(TAXONOMY), (seq, snapshot.position)
    ks = tuple(k for (k,) in db.execute(_KEYS, values))
    return ListingsOverTime(ks, tuple(position for (position,) in db.execute(_CHANGES, values)))
