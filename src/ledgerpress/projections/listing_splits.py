"""When a page of a listing is rewritten, and how: full pages are split, sparse ones joined with a neighbour.

A page that is full, or has hardly a live row left, is closed at that position, so that readers as of earlier
ones still find it, and its live rows are copied to one new page or two. A page that came into use at the very
same position is deleted instead, since nobody can ask for it. A new page is neither nearly full nor nearly
empty, unless it is the only one under its parent, so that many changes pay for each copy.
"""

import sqlite3
from dataclasses import dataclass
from typing import Final, NamedTuple

_Row = tuple[int, int, int, int | None]  # published_at, post, from_pos, child


@dataclass(frozen=True, slots=True)
class PageLimits:
    """How many rows a page may hold, at least 4, and what follows from that number."""

    rows: int = 64

    @property
    def rewrite_below(self) -> int:
        """With fewer live rows, a page that has a neighbour is rewritten."""
        return self.rows // 8

    @property
    def join_below(self) -> int:
        """With fewer live rows, a page that is rewritten takes in a neighbour."""
        return self.rows // 4

    @property
    def split_above(self) -> int:
        """With more live rows, a page that is rewritten becomes two."""
        return self.rows * 3 // 4


class RowsOf:
    """The statements on rows that belong to an owner: a listing's branches, or the rows of a page."""

    def __init__(self, table: str, owner: str, child: str, index: str = "") -> None:
        def of(*parts: str) -> str:
            return " ".join(parts).format(table=table, owner=owner, child=child, index=index)

        one = "WHERE {owner} = ? AND published_at = ? AND post = ? AND from_pos = ?"
        live = (
            "SELECT published_at, post, from_pos, {child} FROM {table} {index}"
            " WHERE {owner} = ? AND to_pos = 9007199254740991"
        )
        self.add = of(
            "INSERT INTO {table} ({owner}, published_at, post, from_pos, {child}, to_pos)",
            "VALUES (?, ?, ?, ?, ?, 9007199254740991)",
        )
        self.close = of("UPDATE {table} SET to_pos = ?", one)
        self.remove = of("DELETE FROM {table}", one)
        self.live = of(live, "ORDER BY published_at, post")
        self.below = of(
            live, "AND (published_at, post) < (?, ?) ORDER BY published_at DESC, post DESC LIMIT 1"
        )
        self.above = of(live, "AND (published_at, post) > (?, ?) ORDER BY published_at, post LIMIT 1")


BRANCHES: Final = RowsOf("page_directory", "k", "page", "INDEXED BY page_directory_open")
ROWS: Final = RowsOf("page_row", "page", "child")

LIVE_PATH: Final = """
    FROM listing AS l
    CROSS JOIN page_directory AS d INDEXED BY page_directory_open
    CROSS JOIN page_row AS b ON b.page = d.page
    LEFT JOIN page_row AS r ON r.page = b.child AND r.published_at = ?2 AND r.post = ?3
    WHERE l.k = ?1
        AND d.k = ?1 AND (d.published_at, d.post) <= (?2, ?3) AND d.to_pos = 9007199254740991
        AND (b.published_at, b.post) <= (?2, ?3) AND b.to_pos = 9007199254740991
    ORDER BY d.published_at DESC, d.post DESC, b.published_at DESC, b.post DESC, b.from_pos DESC,
        r.from_pos DESC
    LIMIT 1
"""
"""From a listing (?1) to the branch and the leaf in use now for a key (?2, ?3), and its latest row there."""

_SLOTS: Final = (
    "SELECT d.published_at, d.post, d.from_pos, d.page, b.published_at, b.post, b.from_pos, b.child"
    + LIVE_PATH
)


class _Entry(NamedTuple):
    """A page as its parent has it: the least key that it may hold, and since when it is in use."""

    published_at: int
    post: int
    from_pos: int
    page: int


class _Slot(NamedTuple):
    """A page and where its entry stands: among which rows, of which owner, in use since when."""

    among: RowsOf
    owner: int
    owner_from: int | None
    entry: _Entry


def balance(
    db: sqlite3.Connection, k: int, published_at: int, post: int, position: int, limits: PageLimits
) -> None:
    """Rewrite the leaf that the key belongs to, and the branch above it, where they have come to need it."""
    row = db.execute(_SLOTS, (k, published_at, post)).fetchone()
    branch, leaf = _Entry(*row[:4]), _Entry(*row[4:])
    if _rewrite(db, _Slot(ROWS, branch.page, branch.from_pos, leaf), position, limits):
        _rewrite(db, _Slot(BRANCHES, k, None, branch), position, limits)


def new_pages(db: sqlite3.Connection, n: int) -> range:
    """Return `n` ids of pages that were never used, nor will be again."""
    (last,) = db.execute("SELECT last FROM page_counter").fetchone()
    db.execute("UPDATE page_counter SET last = ?", (last + n,))
    return range(last + 1, last + n + 1)


def _rewrite(db: sqlite3.Connection, slot: _Slot, position: int, limits: PageLimits) -> bool:
    """Rewrite the page if need be. Whether it was tells whether the parent has changed."""
    (rows,) = db.execute("SELECT count(*) FROM page_row WHERE page = ?", (slot.entry.page,)).fetchone()
    live: list[_Row] = db.execute(ROWS.live, (slot.entry.page,)).fetchall()
    neighbour = _neighbour(db, slot) if len(live) < limits.join_below else None
    if rows <= limits.rows and (neighbour is None or len(live) >= limits.rewrite_below):
        return False
    entries = [slot.entry]
    if neighbour is not None:
        entries = sorted([*entries, neighbour])
        live = sorted([*live, *db.execute(ROWS.live, (neighbour.page,))])
    for entry in entries:
        _retire(db, slot, entry, position)
    parts = _parts(live, position, limits, joined=neighbour is not None)
    keys = [entries[0][:2], *(part[0][:2] for part in parts[1:])]
    for page, key, part in zip(new_pages(db, len(parts)), keys, parts, strict=True):
        db.executemany(ROWS.add, [(page, *row) for row in part])
        db.execute(slot.among.add, (slot.owner, *key, position, page))
    return True


def _neighbour(db: sqlite3.Connection, slot: _Slot) -> _Entry | None:
    at = (slot.owner, slot.entry.published_at, slot.entry.post)
    row = db.execute(slot.among.below, at).fetchone() or db.execute(slot.among.above, at).fetchone()
    return None if row is None else _Entry(*row)


def _retire(db: sqlite3.Connection, slot: _Slot, entry: _Entry, position: int) -> None:
    """Close the page, and forget what nobody can see: rows and pages that are not older than `position`."""
    row = (slot.owner, entry.published_at, entry.post, entry.from_pos)
    if position in (entry.from_pos, slot.owner_from):
        db.execute(slot.among.remove, row)
    else:
        db.execute(slot.among.close, (position, *row))
    if entry.from_pos == position:
        db.execute("DELETE FROM page_row WHERE page = ?", (entry.page,))
    else:
        db.execute("DELETE FROM page_row WHERE page = ? AND from_pos = ?", (entry.page, position))


def _parts(live: list[_Row], position: int, limits: PageLimits, *, joined: bool) -> list[list[_Row]]:
    if len(live) <= limits.split_above:
        return [live]
    cut = len(live) // 2
    if not joined and live[-1][2] == position:  # growing upwards, as news does: leave room there
        cut = len(live) * 3 // 4
    elif not joined and live[0][2] == position:
        cut = len(live) // 4
    return [live[:cut], live[cut:]]
