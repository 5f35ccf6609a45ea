"""The tree of pages in one transaction: pages are read once, changed in memory, and written by `flush`.

Only the directory is always read and written in its table: it has one row for about two thousand posts of a listing.

A page that is full, or has few live rows left, is closed at the current position, so that readers as of earlier
positions still find it. Its live rows are copied to one or two new pages. A page that came into use at the same
position is deleted instead, since no reader can see it. A new page is neither nearly full nor nearly empty, unless it
is the only page under its parent, so the cost of each copy is spread over many changes.
"""

import sqlite3
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol, TypeAlias, TypeVar

from ledgerpress.views.projection.projector_interface_and_composition import write_all
from ledgerpress.views.temporal_and_step_rows import OPEN

Key: TypeAlias = tuple[int, int]
"""A place in a listing: published_at, post."""
Row: TypeAlias = tuple[int, int, int, int | None]
"""A row of a page without its end: published_at, post, from_pos, child."""

_RowKey: TypeAlias = tuple[int, int, int]
"""published_at, post, from_pos."""
_StoredRow: TypeAlias = tuple[int, int, int, int, int, int | None]
"""page, published_at, post, from_pos, to_pos, child."""

P_contra = TypeVar("P_contra", contravariant=True)

END: Final = (2**63, 0)
"""A key beyond all others: a date is a 64-bit integer."""


class Entry(NamedTuple):
    """The entry of a page in its parent: the page's lowest possible key, and the position from which it is in use."""

    published_at: int
    post: int
    from_pos: int
    page: int

    @property
    def key(self) -> Key:
        """The lowest key that the page may contain."""
        return self.published_at, self.post


class Place(NamedTuple):
    """A branch, and the key at which the next branch begins."""

    entry: Entry
    end: Key


class Page:
    """A page: `live` contains the open rows in order, `rows` is the number of all rows.

    `changed` contains the rows that still have to be written, by key; `None` for a row that has to be deleted.
    `is_stored` is false until rows of the page have been written.
    """

    __slots__ = ("changed", "id", "is_stored", "live", "rows")

    def __init__(self, id: int, live: list[Row], rows: int, *, is_stored: bool) -> None:
        self.id = id
        self.live = live
        self.rows = rows
        self.is_stored = is_stored
        self.changed: dict[_RowKey, _StoredRow | None] = {}

    def find(self, key: Key) -> Row | None:
        place = bisect_left(self.live, key)
        return self.live[place] if place < len(self.live) and self.live[place][:2] == key else None


class Leaf(NamedTuple):
    """A leaf, its range of keys, its entry, and the entry of its branch.

    The range is from `first` up to, but not including, `end`.
    """

    page: Page
    first: Key
    end: Key
    entry: Entry
    branch_entry: Entry


@dataclass(frozen=True, slots=True)
class PageLimits:
    """The maximum number of rows in a page, at least 4, and the limits that follow from it."""

    rows: int = 64

    @property
    def rewrite_below(self) -> int:
        """With fewer live rows, a page that has a neighbour is rewritten."""
        return self.rows // 8

    @property
    def join_below(self) -> int:
        """With fewer live rows, a page that is rewritten joins a neighbour."""
        return self.rows // 4

    @property
    def split_above(self) -> int:
        """With more live rows, a page that is rewritten becomes two."""
        return self.rows * 3 // 4


class _Parents(Protocol[P_contra]):
    """The parents of pages: branches, which are pages themselves, or listings in the directory, by their key."""

    def neighbour(self, parent: P_contra, key: Key, /) -> "Entry | None":
        """Return the entry before the entry with the key; if there is none, the entry after it."""
        ...

    def add(self, parent: P_contra, row: Row, /) -> None: ...
    def close(self, parent: P_contra, entry: Entry, position: int, /) -> None: ...
    def remove(self, parent: P_contra, entry: Entry, /) -> None: ...


class Pages:
    """The pages of all listings, by id."""

    def __init__(self, db: sqlite3.Connection, limits: PageLimits) -> None:
        self._db = db
        self._limits = limits
        self._pages: dict[int, Page] = {}
        self._used_branches: set[int] = set()
        self._last: int | None = None

    def get(self, id: int) -> Page:
        """Return the page, which MUST be changed only with the methods below."""
        page = self._pages.get(id)
        if page is None:
            rows = self._db.execute(_ROWS, (id,)).fetchall()
            live = [row[:4] for row in rows if row[4] == OPEN]
            page = self._pages[id] = Page(id, live, len(rows), is_stored=True)
        return page

    def make(self, rows: Iterable[Row] = ()) -> Page:
        """Create a page with these open rows, which are in order. Page ids are never reused."""
        if self._last is None:
            (self._last,) = self._db.execute("SELECT last FROM page_counter").fetchone()
        self._last += 1
        live = list(rows)
        page = self._pages[self._last] = Page(self._last, live, len(live), is_stored=False)
        for row in live:
            page.changed[row[:3]] = (page.id, *row[:3], OPEN, row[3])
        return page

    def leaf(self, place: Place, key: Key) -> Leaf:
        """Return the leaf whose range contains the key. `place` is the branch whose range contains it."""
        branch_id = place.entry.page
        if branch_id in self._pages or branch_id in self._used_branches:
            live = self.get(branch_id).live
            number = bisect_left(live, (*key, OPEN))
            entries = live[number - 1 : number + 1]
        else:  # Most transactions need a branch once, so it is not read whole.
            self._used_branches.add(branch_id)
            entries = self._db.execute(_LEAVES, (branch_id, *key)).fetchall()
        entry = _entry(entries[0])
        end = entries[1][:2] if len(entries) > 1 else place.end
        return Leaf(self.get(entry.page), entry.key, end, entry, place.entry)

    def neighbour(self, page: Page, key: Key) -> Entry | None:
        """Return the entry before the entry with the key in this branch; if there is none, the entry after it."""
        number = bisect_left(page.live, key)
        if number:
            return _entry(page.live[number - 1])
        return _entry(page.live[1]) if len(page.live) > 1 else None

    def add(self, page: Page, row: Row) -> None:
        page.rows += 1
        self.reopen(page, row)

    def ended_at(self, page: Page, key: Key, position: int) -> Row | None:
        """Return the row of the key in a leaf that ended at `position`, if there is one."""
        for row in page.changed.values():
            if row is not None and row[4] == position and row[1:3] == key:
                return (*key, row[3], None)
        stored = self._db.execute(_ENDED_AT, (page.id, *key, position)).fetchone()
        return None if stored is None or (*key, stored[0]) in page.changed else (*key, stored[0], None)

    def reopen(self, page: Page, row: Row) -> None:
        """Remove the end of a row of the page."""
        insort(page.live, row)
        published_at, post, from_pos, child = row
        page.changed[published_at, post, from_pos] = (page.id, published_at, post, from_pos, OPEN, child)

    def close(self, page: Page, row: Row, position: int) -> None:
        del page.live[bisect_left(page.live, row)]
        published_at, post, from_pos, child = row
        page.changed[published_at, post, from_pos] = (page.id, published_at, post, from_pos, position, child)

    def remove(self, page: Page, row: Row) -> None:
        page.rows -= 1
        del page.live[bisect_left(page.live, row)]
        page.changed[row[:3]] = None

    def forget(self, page: Page, position: int | None = None) -> None:
        """Delete all rows of a page, or only the rows that began at `position`. The page is no longer in use.

        These rows are open: a row, or a row of a page, that began at a position is deleted if it ends there.
        """
        for row in page.live:
            if position is None or row[2] == position:
                page.changed[row[:3]] = None
        page.live = []

    def balance(self, directory: "Directory", k: int, leaf: Leaf, position: int) -> None:
        """Rewrite the leaf, and the branch above it, if necessary."""
        branch = leaf.branch_entry
        if self._rewrite(self, self.get(branch.page), branch.from_pos, leaf.entry, position):
            self._rewrite(directory, k, None, branch, position)

    def _rewrite(
        self, parents: _Parents[P_contra], parent: P_contra, since: int | None, entry: Entry, position: int
    ) -> bool:
        """Rewrite the page if necessary. Return whether it was rewritten, and so whether the parent has changed.

        `since` is the position from which the parent is in use; `None` for the directory, which always is.
        """
        page = self.get(entry.page)
        live = page.live
        neighbour = parents.neighbour(parent, entry.key) if len(live) < self._limits.join_below else None
        if page.rows <= self._limits.rows and (neighbour is None or len(live) >= self._limits.rewrite_below):
            return False
        entries = [entry]
        if neighbour is not None:
            entries = sorted([entry, neighbour])
            live = sorted([*live, *self.get(neighbour.page).live])
        parts = _parts(live, position, self._limits, joined=neighbour is not None)
        for old_entry in entries:
            # Rows and pages that are not older than `position` are deleted: no reader can see them.
            if position in (old_entry.from_pos, since):
                parents.remove(parent, old_entry)
            else:
                parents.close(parent, old_entry, position)
            self.forget(self.get(old_entry.page), None if old_entry.from_pos == position else position)
        keys = [entries[0].key, *(part[0][:2] for part in parts[1:])]
        for key, part in zip(keys, parts, strict=True):
            parents.add(parent, (*key, position, self.make(part).id))
        return True

    def flush(self) -> None:
        """Write all changes, in the order in which the table stores rows."""
        removed: list[tuple[int, ...]] = []
        changed: list[_StoredRow] = []
        new: list[_StoredRow] = []
        for page in self._pages.values():
            if page.changed:
                rows = [row for row in page.changed.values() if row is not None]
                if page.is_stored:
                    changed += rows
                    removed += [(page.id, *key) for key, row in page.changed.items() if row is None]
                else:
                    new += rows
                page.is_stored = True
                page.changed.clear()
        write_all(self._db, _REMOVE, removed)
        write_all(self._db, _CHANGE, sorted(changed))
        write_all(self._db, _ADD_ROW, sorted(new))
        if self._last is not None:  # pages were created
            self._db.execute("UPDATE page_counter SET last = ?", (self._last,))


class Directory:
    """The branches of every listing."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._known: dict[int, list[Place]] = {}

    def find(self, k: int, key: Key) -> Place:
        """Return the branch of listing `k` whose range contains the key."""
        places = self._known.setdefault(k, [])
        number = bisect_right(places, key, key=_first_key) - 1
        if number >= 0 and key < places[number].end:
            return places[number]
        rows = self._db.execute(_AROUND, (k, *key)).fetchall()
        place = Place(Entry(*rows[0]), rows[1][:2] if len(rows) > 1 else END)
        insort(places, place, key=_first_key)
        return place

    def neighbour(self, k: int, key: Key) -> Entry | None:
        """Return the branch before the branch with this key; if there is none, the branch after it."""
        row = self._db.execute(_BELOW, (k, *key)).fetchone() or self._db.execute(_ABOVE, (k, *key)).fetchone()
        return None if row is None else Entry(*row)

    def add(self, k: int, row: Row) -> None:
        """Add a branch: its lowest key, the position from which it is in use, and its page."""
        self._change(k, _ADD, (k, *row))

    def close(self, k: int, entry: Entry, position: int) -> None:
        self._change(k, _CLOSE, (position, k, *entry.key, entry.from_pos))

    def remove(self, k: int, entry: Entry) -> None:
        self._change(k, _DELETE, (k, *entry.key, entry.from_pos))

    def _change(self, k: int, statement: str, parameters: tuple[int | None, ...]) -> None:
        self._db.execute(statement, parameters)
        self._known.pop(k, None)


def _parts(live: list[Row], position: int, limits: PageLimits, *, joined: bool) -> list[list[Row]]:
    if len(live) <= limits.split_above:
        return [live]
    cut = len(live) // 2
    if not joined and live[-1][2] == position:  # the newest row is at the end, as with news: leave room there
        cut = len(live) * 3 // 4
    elif not joined and live[0][2] == position:
        cut = len(live) // 4
    return [live[:cut], live[cut:]]


def _entry(row: Row) -> Entry:
    published_at, post, from_pos, child = row
    return Entry(published_at, post, from_pos, child or 0)


def _first_key(place: Place) -> Key:
    return place.entry.key


_ROWS: Final = "SELECT published_at, post, from_pos, child, to_pos FROM page_row WHERE page = ? ORDER BY published_at, post"
_ENDED_AT: Final = (
    "SELECT from_pos FROM page_row WHERE page = ? AND published_at = ? AND post = ? AND to_pos = ?"
)
# The entries of the leaf whose range contains the key (?2, ?3), and of the next one.
_LEAVES: Final = """
    SELECT * FROM (
        SELECT published_at, post, from_pos, child FROM page_row
        WHERE page = ?1 AND to_pos = 9007199254740991 AND (published_at, post) <= (?2, ?3)
        ORDER BY published_at DESC, post DESC LIMIT 1
    )
    UNION ALL SELECT * FROM (
        SELECT published_at, post, from_pos, child FROM page_row
        WHERE page = ?1 AND to_pos = 9007199254740991 AND (published_at, post) > (?2, ?3)
        ORDER BY published_at, post LIMIT 1
    )
"""
_REMOVE: Final = "DELETE FROM page_row WHERE page = ? AND published_at = ? AND post = ? AND from_pos = ?"
_COLUMNS: Final = "(page, published_at, post, from_pos, to_pos, child) VALUES (?, ?, ?, ?, ?, ?)"
_CHANGE: Final = f"INSERT OR REPLACE INTO page_row {_COLUMNS}"
_ADD_ROW: Final = f"INSERT INTO page_row {_COLUMNS}"
_ADD: Final = (
    "INSERT INTO page_directory (k, published_at, post, from_pos, page, to_pos)"
    " VALUES (?, ?, ?, ?, ?, 9007199254740991)"
)
_ONE: Final = "WHERE k = ? AND published_at = ? AND post = ? AND from_pos = ?"
_CLOSE: Final = f"UPDATE page_directory SET to_pos = ? {_ONE}"  # noqa: S608
_DELETE: Final = f"DELETE FROM page_directory {_ONE}"  # noqa: S608
_IN_USE: Final = (
    "SELECT published_at, post, from_pos, page FROM page_directory INDEXED BY page_directory_open"
    " WHERE k = ?1 AND to_pos = 9007199254740991 AND (published_at, post)"
)
_AT_OR_BELOW: Final = f"{_IN_USE} <= (?2, ?3) ORDER BY published_at DESC, post DESC LIMIT 1"
_BELOW: Final = f"{_IN_USE} < (?2, ?3) ORDER BY published_at DESC, post DESC LIMIT 1"
_ABOVE: Final = f"{_IN_USE} > (?2, ?3) ORDER BY published_at, post LIMIT 1"
# The branch whose range contains the key (?2, ?3), and the next one.
_AROUND: Final = f"SELECT * FROM ({_AT_OR_BELOW}) UNION ALL SELECT * FROM ({_ABOVE})"  # noqa: S608
