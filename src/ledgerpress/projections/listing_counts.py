"""How many articles a category has: directly, and with the categories below it, each article counted once.

Counts are step functions of the position, so that a count as of any position is one look-up, and no page of a
listing is ever counted. Moving or merging a category rewrites no post: the counts of the categories above it are
taken anew.
"""

import sqlite3
from typing import Final

from ledgerpress.readmodels.listing_keys import DIRECT, WITH_DESCENDANTS

SCHEMA: Final = """
    CREATE TABLE listed_category (
        id TEXT PRIMARY KEY, k INTEGER NOT NULL UNIQUE,
        above INTEGER,                   -- the key of the parent, or of the category that took this one over
        taken_over INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX listed_category_above ON listed_category (above);
    CREATE TABLE listed_in (
        k INTEGER NOT NULL, seq INTEGER NOT NULL, live INTEGER NOT NULL, PRIMARY KEY (k, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE category_count (
        k INTEGER NOT NULL, scope INTEGER NOT NULL, from_pos INTEGER NOT NULL, n INTEGER NOT NULL,
        PRIMARY KEY (k, scope, from_pos)
    ) STRICT, WITHOUT ROWID;
"""

_BELOW = """
    WITH RECURSIVE below (k) AS (
        VALUES (?)
        UNION SELECT c.k FROM listed_category AS c JOIN below ON c.above = below.k WHERE c.taken_over OR ?
    )
    SELECT count(DISTINCT seq) FROM listed_in WHERE live AND k IN below
"""


def category_key(db: sqlite3.Connection, category_id: str) -> int | None:
    """Return the key of the listing of a category: the position at which it was created."""
    row = db.execute("SELECT k FROM listed_category WHERE id = ?", (category_id,)).fetchone()
    return int(row[0]) if row else None


def add_category(db: sqlite3.Connection, category_id: str, k: int, parent_id: str | None) -> None:
    """Take note of a new category."""
    above = category_key(db, parent_id) if parent_id else None
    db.execute("INSERT INTO listed_category VALUES (?, ?, ?, 0)", (category_id, k, above))


def move_category(db: sqlite3.Connection, category_id: str, parent_id: str | None, at: int) -> None:
    """Put a category under another, and count anew what is above its old and its new place."""
    k = category_key(db, category_id)
    if k is None:
        return
    above = category_key(db, parent_id) if parent_id else None
    affected = _upwards(db, k)
    db.execute("UPDATE listed_category SET above = ? WHERE k = ?", (above, k))
    affected |= _upwards(db, k)
    _count_anew(db, affected - {k}, at)


def merge_category(db: sqlite3.Connection, category_id: str, into_id: str, at: int) -> None:
    """Let another category take a category over, its children with it; an unknown one takes it out of the tree."""
    k, into = category_key(db, category_id), category_key(db, into_id)
    if k is None:
        return
    affected = _upwards(db, k)
    db.execute("UPDATE listed_category SET above = ? WHERE above = ? AND NOT taken_over", (into, k))
    db.execute("UPDATE listed_category SET above = ?, taken_over = 1 WHERE k = ?", (into, k))
    _count_anew(db, affected | _upwards(db, k), at)


def delete_category(db: sqlite3.Connection, category_id: str, at: int) -> None:
    """Take a category out of the tree; a post that reached it at that very moment is not listed above it."""
    k = category_key(db, category_id)
    if k is None:
        return
    affected = _upwards(db, k) - {k}
    db.execute("UPDATE listed_category SET above = NULL WHERE k = ?", (k,))
    _count_anew(db, affected, at)


def update_post(
    db: sqlite3.Connection,
    seq: int,
    at: int,
    *,
    old: tuple[str, ...],
    was_live: bool,
    new: tuple[str, ...],
    is_live: bool,
) -> None:
    """Count a post in and out. `old` and `new` are its categories, `was_live` and `is_live` whether readers see it."""
    old_keys, new_keys = _keys(db, old), _keys(db, new)
    gone = sorted(old_keys - new_keys)
    db.executemany("DELETE FROM listed_in WHERE k = ? AND seq = ?", [(k, seq) for k in gone])
    db.executemany(
        "INSERT INTO listed_in VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET live = excluded.live",
        [(k, seq, is_live) for k in sorted(new_keys)],
    )
    for scope in (DIRECT, WITH_DESCENDANTS):
        before = _counted_in(db, old_keys, scope) if was_live else set()
        after = _counted_in(db, new_keys, scope) if is_live else set()
        for k in sorted(before ^ after):
            _set(db, k, scope, at, _current(db, k, scope) + (1 if k in after else -1))


def _keys(db: sqlite3.Connection, category_ids: tuple[str, ...]) -> set[int]:
    keys = (category_key(db, category_id) for category_id in category_ids)
    return {k for k in keys if k is not None}


def _upwards(db: sqlite3.Connection, k: int) -> set[int]:
    """Return the category and all above it."""
    return _counted_in(db, {k}, WITH_DESCENDANTS)


def _counted_in(db: sqlite3.Connection, keys: set[int], scope: int) -> set[int]:
    """Return the categories whose count takes in an article that is in one of `keys`."""
    reached: set[int] = set()
    for k in keys:
        current: int | None = k
        while current is not None and current not in reached:
            reached.add(current)
            row = db.execute(
                "SELECT above, taken_over FROM listed_category WHERE k = ?", (current,)
            ).fetchone()
            current = row[0] if row and (scope == WITH_DESCENDANTS or row[1]) else None
    return reached


def _count_anew(db: sqlite3.Connection, keys: set[int], at: int) -> None:
    for k in sorted(keys):
        for scope in (DIRECT, WITH_DESCENDANTS):
            (n,) = db.execute(_BELOW, (k, scope == WITH_DESCENDANTS)).fetchone()
            if n != _current(db, k, scope):
                _set(db, k, scope, at, n)


def _current(db: sqlite3.Connection, k: int, scope: int) -> int:
    row = db.execute(
        "SELECT n FROM category_count WHERE k = ? AND scope = ? ORDER BY from_pos DESC LIMIT 1", (k, scope)
    ).fetchone()
    return int(row[0]) if row else 0


def _set(db: sqlite3.Connection, k: int, scope: int, at: int, n: int) -> None:
    db.execute("INSERT OR REPLACE INTO category_count VALUES (?, ?, ?, ?)", (k, scope, at, n))
