"""The article listings of categories, and their article counts: direct, and with subcategories.

Each count includes an article at most once. Counts are stored as step functions of the position: a count as of any
position is one lookup, and pages of a listing are never counted. Moving or merging a category, and undoing that, rewrites no
post; only the counts of the categories above it are computed again.
"""

import sqlite3
from collections.abc import Iterable
from typing import Final, Protocol

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn, remaining_event
from ledgerpress.features.categories import model
from ledgerpress.views.listings.projector import (
    Entry,
    ListedItem,
    ListingChanges,
    ListingContribution,
    ListingWriter,
)
from ledgerpress.views.projection.projector_interface_and_composition import write_all

DIRECT: Final = 0
"""The count of articles in the category itself, and in categories merged into it."""
WITH_DESCENDANTS: Final = 1
"""The count of articles in the category or in any category below it."""

_SCHEMA: Final = """
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


class CategorizedItem(ListedItem, Protocol):
    """An item that can be in categories."""

    @property
    def category_ids(self) -> tuple[str, ...]:
        """The ids of the categories, as recorded when the item was added to them; may name merged categories."""
        ...


class _CategoryListings(ListingWriter[CategorizedItem]):
    """Writes the listings and counts of all categories in one transaction.

    `flush` writes the changes that items caused.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._keys: dict[str, int | None] = {}
        self._counted_in: dict[tuple[int, int], frozenset[int]] = {}
        self._counts: dict[tuple[int, int], int] = {}
        self._steps: dict[tuple[int, int, int], int] = {}
        self._posts: dict[tuple[int, int], bool | None] = {}

    def entries(self, item: CategorizedItem) -> Iterable[Entry]:
        date = item.public_date or 0
        return [(k, date) for category_id in item.category_ids if (k := self._key(category_id)) is not None]

    def apply(self, recorded: Recorded[Event], changes: ListingChanges) -> None:
        at = recorded.position
        match remaining_event(recorded.event):
            case model.CategoryCreated(category_id=category_id, parent_id=parent_id):
                self._add(category_id, at, parent_id)
            case model.CategoryMoved(category_id=category_id, parent_id=parent_id):
                self._move(category_id, parent_id, at)
            case model.CategoryMerged(category_id=category_id, into_id=into_id):
                self._merge(category_id, into_id, at)
            case model.CategoryUnmerged() as unmerged:
                self._unmerge(unmerged, at)
            case model.CategoryDeleted(category_id=category_id):
                # An item that was added to it concurrently is not counted in the categories above it.
                self._move(category_id, None, at)
            case _:
                pass

    def _key(self, category_id: str) -> int | None:
        """Return the key of a category's listing (the position of its creation), or `None` if it is unknown."""
        try:
            return self._keys[category_id]
        except KeyError:
            row = self._db.execute("SELECT k FROM listed_category WHERE id = ?", (category_id,)).fetchone()
            k = self._keys[category_id] = int(row[0]) if row else None
            return k

    def _add(self, category_id: str, k: int, parent_id: str | None) -> None:
        above = self._key(parent_id) if parent_id else None
        self._db.execute("INSERT INTO listed_category VALUES (?, ?, ?, 0)", (category_id, k, above))
        self._keys[category_id] = k

    def _move(self, category_id: str, parent_id: str | None, at: int) -> None:
        """Move a category to another parent or to the top level, and recount above its old and new place."""
        k = self._key(category_id)
        if k is None:
            return
        above = self._key(parent_id) if parent_id else None
        affected = self._upwards(k)
        self._change_tree("UPDATE listed_category SET above = ? WHERE k = ?", (above, k))
        self._recount((affected | self._upwards(k)) - {k}, at)

    def _merge(self, category_id: str, into_id: str, at: int) -> None:
        """Merge a category and its children into another. If the other is unknown, they have no parent afterwards."""
        k, into = self._key(category_id), self._key(into_id)
        if k is None or self._is_taken_over(k) or (into is not None and k in self._path(into, DIRECT)):
            return
        affected = self._upwards(k)
        self._change_tree(
            "UPDATE listed_category SET above = ? WHERE above = ? AND NOT taken_over", (into, k)
        )
        self._change_tree("UPDATE listed_category SET above = ?, taken_over = 1 WHERE k = ?", (into, k))
        self._recount(affected | self._upwards(k), at)

    def _unmerge(self, event: model.CategoryUnmerged, at: int) -> None:
        """Take a category, and the subcategories that move back, out of the category that it was merged into."""
        k = self._key(event.category_id)
        if k is None or not self._is_taken_over(k):
            return
        affected = self._upwards(k)
        above = self._key(event.parent_id) if event.parent_id else None
        self._change_tree("UPDATE listed_category SET above = ?, taken_over = 0 WHERE k = ?", (above, k))
        for category_id in event.subcategory_ids:
            if category_id != event.from_id:
                self._change_tree(
                    "UPDATE listed_category SET above = ? WHERE k = ? AND NOT taken_over",
                    (k, self._key(category_id)),
                )
        self._recount(affected | self._upwards(k), at)

    def item_changed(self, before: CategorizedItem | None, after: CategorizedItem, position: int) -> None:
        old, new = before.category_ids if before is not None else (), after.category_ids
        was_public = before is not None and before.public_date is not None
        is_public, seq = after.public_date is not None, after.seq
        if old == new and was_public == is_public:
            return
        new_keys = self._known(new)
        old_keys = new_keys if old == new else self._known(old)
        for k in old_keys - new_keys:
            self._posts[k, seq] = None
        for k in new_keys:
            self._posts[k, seq] = is_public
        if (was_public, old_keys) == (is_public, new_keys):
            return
        for scope in (DIRECT, WITH_DESCENDANTS) if was_public or is_public else ():
            counted_before = self._all_counted_in(old_keys, scope) if was_public else frozenset()
            counted_after = self._all_counted_in(new_keys, scope) if is_public else frozenset()
            for k in counted_before ^ counted_after:
                change = 1 if k in counted_after else -1
                self._set(k, scope, position, self._current(k, scope) + change)

    def flush(self) -> None:
        posts = self._posts.items()
        write_all(
            self._db,
            "DELETE FROM listed_in WHERE k = ? AND seq = ?",
            [key for key, live in posts if live is None],
        )
        write_all(
            self._db,
            "INSERT OR REPLACE INTO listed_in VALUES (?, ?, ?)",
            [(*key, live) for key, live in posts if live is not None],
        )
        write_all(
            self._db,
            "INSERT OR REPLACE INTO category_count VALUES (?, ?, ?, ?)",
            [(*step, n) for step, n in self._steps.items()],
        )
        self._posts.clear()
        self._steps.clear()

    def _known(self, category_ids: tuple[str, ...]) -> set[int]:
        return {k for k in map(self._key, category_ids) if k is not None}

    def _upwards(self, k: int) -> frozenset[int]:
        """Return the keys of the category and of all categories above it."""
        return self._all_counted_in({k}, WITH_DESCENDANTS)

    def _all_counted_in(self, keys: set[int], scope: int) -> frozenset[int]:
        """Return the categories whose count includes an article that is in one of the categories `keys`."""
        paths = [self._path(k, scope) for k in keys]
        return paths[0] if len(paths) == 1 else frozenset().union(*paths)

    def _path(self, k: int, scope: int) -> frozenset[int]:
        path = self._counted_in.get((k, scope))
        if path is None:
            reached: set[int] = set()
            current: int | None = k
            while current is not None and current not in reached:
                reached.add(current)
                row = self._db.execute(
                    "SELECT above, taken_over FROM listed_category WHERE k = ?", (current,)
                ).fetchone()
                current = row[0] if row and (scope == WITH_DESCENDANTS or row[1]) else None
            path = self._counted_in[k, scope] = frozenset(reached)
        return path

    def _is_taken_over(self, k: int) -> bool:
        row = self._db.execute("SELECT taken_over FROM listed_category WHERE k = ?", (k,)).fetchone()
        return bool(row and row[0])

    def _change_tree(self, statement: str, parameters: tuple[int | None, ...]) -> None:
        self._db.execute(statement, parameters)
        self._counted_in.clear()

    def _recount(self, keys: frozenset[int], at: int) -> None:
        self.flush()
        for k in keys:
            for scope in (DIRECT, WITH_DESCENDANTS):
                (n,) = self._db.execute(_BELOW, (k, scope == WITH_DESCENDANTS)).fetchone()
                if n != self._current(k, scope):
                    self._set(k, scope, at, n)

    def _current(self, k: int, scope: int) -> int:
        n = self._counts.get((k, scope))
        if n is None:
            row = self._db.execute(
                "SELECT n FROM category_count WHERE k = ? AND scope = ? ORDER BY from_pos DESC LIMIT 1",
                (k, scope),
            ).fetchone()
            n = self._counts[k, scope] = int(row[0]) if row else 0
        return n

    def _set(self, k: int, scope: int, at: int, n: int) -> None:
        self._counts[k, scope] = n
        self._steps[k, scope, at] = n


LISTINGS: Final = ListingContribution(
    name="categories",
    schema=_SCHEMA,
    events=frozenset(
        {
            model.CategoryCreated,
            model.CategoryMoved,
            model.CategoryMerged,
            model.CategoryUnmerged,
            model.CategoryDeleted,
            Withdrawn,
        }
    ),
    text_of=frozenset(),
    begin=_CategoryListings,
)
