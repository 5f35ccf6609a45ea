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

_RowKey: TypeAlias = tuple[int, int, int, int]
"""page, published_at, post, from_pos."""

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
    """The rows of a page: `ends` maps all rows to their `to_pos`; `live` contains the open rows in order."""

    __slots__ = ("ends", "id", "live")

    def __init__(self, id: int) -> None:
        self.id = id
        self.ends: dict[tuple[int, int, int], int] = {}
        self.live: list[Row] = []

    def find(self, key: Key) -> Row | None:
        place = bisect_left(self.live, key)
        return self.live[place] if place < len(self.live) and self.live[place][:2] == key else None

    def ended_at(self, key: Key, position: int) -> Row | None:
        """Return the row of the key that ended at `position`, if there is one. The page must be a leaf."""
        for row, end in self.ends.items():
            if end == position and row[:2] == key:
                return (*row, None)
        return None


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf, its range of keys, its entry, and its branch with the branch's own entry.

    The range is from `first` up to, but not including, `end`.
    """

    page: Page
    first: Key
    end: Key
    entry: Entry
    branch: Page
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
        self._written: dict[_RowKey, tuple[int | None, ...] | None] = {}
        self._last: int | None = None

    def get(self, id: int) -> Page:
        """Return the page, which MUST be changed only with the methods below."""
        page = self._pages.get(id)
        if page is None:
            page = self._pages[id] = Page(id)
            for published_at, post, from_pos, to_pos, child in self._db.execute(_ROWS, (id,)):
                page.ends[published_at, post, from_pos] = to_pos
                if to_pos == OPEN:
                    page.live.append((published_at, post, from_pos, child))
        return page

    def make(self, rows: Iterable[Row] = ()) -> Page:
        """Create a page with these open rows, which are in order. Page ids are never reused."""
        if self._last is None:
            (self._last,) = self._db.execute("SELECT last FROM page_counter").fetchone()
        self._last += 1
        page = self._pages[self._last] = Page(self._last)
        page.live = list(rows)
        for row in page.live:
            page.ends[row[:3]] = OPEN
            self._write(page, row, OPEN)
        return page

    def leaf(self, place: Place, key: Key) -> Leaf:
        """Return the leaf whose range contains the key. `place` is the branch whose range contains it."""
        branch = self.get(place.entry.page)
        number = bisect_left(branch.live, (*key, OPEN))
        end = branch.live[number][:2] if number < len(branch.live) else place.end
        entry = _entry(branch.live[number - 1])
        return Leaf(self.get(entry.page), entry.key, end, entry, branch, place.entry)

    def neighbour(self, page: Page, key: Key) -> Entry | None:
        """Return the entry before the entry with the key in this branch; if there is none, the entry after it."""
        number = bisect_left(page.live, key)
        if number:
            return _entry(page.live[number - 1])
        return _entry(page.live[1]) if len(page.live) > 1 else None

    def add(self, page: Page, row: Row) -> None:
        page.ends[row[:3]] = OPEN
        insort(page.live, row)
        self._write(page, row, OPEN)

    def close(self, page: Page, row: Row, position: int) -> None:
        page.ends[row[:3]] = position
        del page.live[bisect_left(page.live, row)]
        self._write(page, row, position)

    def remove(self, page: Page, row: Row) -> None:
        del page.ends[row[:3]]
        del page.live[bisect_left(page.live, row)]
        self._written[page.id, *row[:3]] = None

    def forget(self, page: Page, position: int | None = None) -> None:
        """Delete all rows of a page, or only the rows that began at `position`. The page is no longer in use."""
        for row in [row for row in page.ends if position is None or row[2] == position]:
            del page.ends[row]
            self._written[page.id, *row] = None
        page.live = []

    def balance(self, directory: "Directory", k: int, leaf: Leaf, position: int) -> None:
        """Rewrite the leaf, and the branch above it, if necessary."""
        branch = leaf.branch_entry
        if self._rewrite(self, leaf.branch, branch.from_pos, leaf.entry, position):
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
        if len(page.ends) <= self._limits.rows and (
            neighbour is None or len(live) >= self._limits.rewrite_below
        ):
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
        write_all(self._db, _REMOVE, [key for key, row in self._written.items() if row is None])
        write_all(self._db, _WRITE, sorted([row for row in self._written.values() if row is not None]))
        self._written.clear()
        if self._last is not None:  # pages were created
            self._db.execute("UPDATE page_counter SET last = ?", (self._last,))

    def _write(self, page: Page, row: Row, to_pos: int) -> None:
        published_at, post, from_pos, child = row
        key = (page.id, published_at, post, from_pos)
        self._written[key] = (*key, to_pos, child)


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
        entry = Entry(*self._db.execute(_AT_OR_BELOW, (k, *key)).fetchone())
        above = self._db.execute(_ABOVE, (k, *entry.key)).fetchone()
        place = Place(entry, END if above is None else (above[0], above[1]))
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


_ROWS: Final = "SELECT published_at, post, from_pos, to_pos, child FROM page_row WHERE page = ? ORDER BY published_at, post"
_REMOVE: Final = "DELETE FROM page_row WHERE page = ? AND published_at = ? AND post = ? AND from_pos = ?"
_WRITE: Final = "INSERT OR REPLACE INTO page_row (page, published_at, post, from_pos, to_pos, child) VALUES (?, ?, ?, ?, ?, ?)"
_ADD: Final = (
    "INSERT INTO page_directory (k, published_at, post, from_pos, page, to_pos)"
    " VALUES (?, ?, ?, ?, ?, 9007199254740991)"
)
_ONE: Final = "WHERE k = ? AND published_at = ? AND post = ? AND from_pos = ?"
_CLOSE: Final = f"UPDATE page_directory SET to_pos = ? {_ONE}"  # noqa: S608
_DELETE: Final = f"DELETE FROM page_directory {_ONE}"  # noqa: S608
_IN_USE: Final = (
    "SELECT published_at, post, from_pos, page FROM page_directory INDEXED BY page_directory_open"
    " WHERE k = ? AND to_pos = 9007199254740991 AND (published_at, post)"
)
_AT_OR_BELOW: Final = f"{_IN_USE} <= (?, ?) ORDER BY published_at DESC, post DESC LIMIT 1"
_BELOW: Final = f"{_IN_USE} < (?, ?) ORDER BY published_at DESC, post DESC LIMIT 1"
_ABOVE: Final = f"{_IN_USE} > (?, ?) ORDER BY published_at, post LIMIT 1"
