"""Listings as of any position: pages of membership, split by key and by time.

A membership is the stretch of positions through which a post was in a listing. Memberships are kept in leaf
pages, leaves in branch pages, branches in a directory, as in a multiversion B-tree. At any position the pages
then in use part all keys among them, without gap or overlap, so a reader as of that position descends as if
there were no other: `ledgerpress.readmodels.listings` holds the queries.

A page that is full, or nearly empty of what is still true, is closed, and what is still true is copied to a new
page, or two, or to one together with a neighbour's. A new page is never nearly full nor nearly empty (unless it
is all that its parent has), so each copying is paid for by many changes. Pages that began at the very position
are deleted instead: nobody can ask for them.

Nothing is remembered between calls, and the caller owns the transaction: the rows depend on the order of
changes alone, never on how they were batched.
"""

import sqlite3
from dataclasses import dataclass
from typing import Final, NamedTuple

from ledgerpress.readmodels.listings import LOWEST, OPEN

SCHEMA: Final = """
-- One row a listing: where it stands now. `touched` is the position of its last change.
CREATE TABLE listing (
    k INTEGER PRIMARY KEY, touched INTEGER NOT NULL, n INTEGER NOT NULL, newest_published_at INTEGER
) STRICT;

-- The branches of a listing. One holds the keys from its own up to the next branch in use at the position.
CREATE TABLE page_directory (
    k INTEGER NOT NULL, published_at INTEGER NOT NULL, post INTEGER NOT NULL,
    from_pos INTEGER NOT NULL, to_pos INTEGER NOT NULL, page INTEGER NOT NULL,
    PRIMARY KEY (k, published_at DESC, post DESC, from_pos DESC)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX page_directory_open ON page_directory (k, published_at DESC, post DESC)
    WHERE to_pos = 9007199254740991;

-- The rows of a page: in a branch its leaves, each with its first key (`child`); in a leaf the memberships.
CREATE TABLE page_row (
    page INTEGER NOT NULL, published_at INTEGER NOT NULL, post INTEGER NOT NULL,
    from_pos INTEGER NOT NULL, to_pos INTEGER NOT NULL, child INTEGER,
    PRIMARY KEY (page, published_at DESC, post DESC, from_pos DESC)
) STRICT, WITHOUT ROWID;

CREATE TABLE page_counter (last INTEGER NOT NULL) STRICT;
INSERT INTO page_counter VALUES (0);

-- How many posts a listing holds, and its greatest publishing time (null where empty), from `pos` onwards.
CREATE TABLE count_step (
    k INTEGER NOT NULL, pos INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (k, pos)
) STRICT, WITHOUT ROWID;
CREATE TABLE newest_step (
    k INTEGER NOT NULL, pos INTEGER NOT NULL, newest_published_at INTEGER, PRIMARY KEY (k, pos)
) STRICT, WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class PageLimits:
    """How many rows a page may hold, at least 4, and what follows from that."""

    rows: int = 64

    @property
    def rewrite_below(self) -> int:
        """Fewer live rows, and the page is joined with a neighbour."""
        return self.rows // 8

    @property
    def join_below(self) -> int:
        """Fewer live rows, and a page being rewritten takes its neighbour's too."""
        return self.rows // 4

    @property
    def split_above(self) -> int:
        """More live rows, and they go to two pages."""
        return self.rows * 3 // 4


LIMITS: Final = PageLimits()


class MembershipRefused(ValueError):
    """A change that cannot follow what the pages hold. Nothing was written."""

    def __init__(self, why: str, *, k: int, published_at: int, post: int, position: int) -> None:
        super().__init__(f"position {position}, listing {k}, post {post} published at {published_at}: {why}")
        self.k = k
        self.published_at = published_at
        self.post = post
        self.position = position


class _Place(NamedTuple):
    """The listing as it stands, the leaf that a key belongs to, and the latest row of that key."""

    touched: int
    n: int
    newest: int | None
    leaf: int
    leaf_from: int
    rows: int
    from_pos: int | None
    to_pos: int | None


class _Entry(NamedTuple):
    """A page as its parent lists it: the first key that it may hold, and since when it has been in use."""

    published_at: int
    post: int
    from_pos: int
    page: int


class _Parent:
    """The statements on a table whose rows are pages: the directory for branches, a branch for leaves."""

    def __init__(self, table: str, owner: str, page: str) -> None:
        names = {"table": table, "owner": owner, "page": page}
        nearest = "SELECT published_at, post, from_pos, {page} FROM {table} WHERE {owner} = ? AND to_pos = 9007199254740991 "
        self.below = (nearest + "AND (published_at, post) < (?, ?) ORDER BY published_at DESC, post DESC LIMIT 1").format(**names)
        self.above = (nearest + "AND (published_at, post) > (?, ?) ORDER BY published_at, post LIMIT 1").format(**names)
        one = "WHERE {owner} = ? AND published_at = ? AND post = ? AND from_pos = ?"
        self.close = ("UPDATE {table} SET to_pos = ? " + one).format(**names)
        self.remove = ("DELETE FROM {table} " + one).format(**names)
        self.add = "INSERT INTO {table} ({owner}, published_at, post, from_pos, {page}, to_pos) VALUES (?, ?, ?, ?, ?, 9007199254740991)".format(**names)


_DIRECTORY: Final = _Parent("page_directory", "k", "page")
_BRANCH: Final = _Parent("page_row", "page", "child")

_OPEN_PATH: Final = """
    FROM listing AS l
    CROSS JOIN page_directory AS d INDEXED BY page_directory_open
    CROSS JOIN page_row AS b ON b.page = d.page
    LEFT JOIN page_row AS r ON r.page = b.child AND r.published_at = ?2 AND r.post = ?3
    WHERE l.k = ?1
        AND d.k = ?1 AND (d.published_at, d.post) <= (?2, ?3) AND d.to_pos = 9007199254740991
        AND (b.published_at, b.post) <= (?2, ?3) AND b.to_pos = 9007199254740991
    ORDER BY d.published_at DESC, d.post DESC, b.published_at DESC, b.post DESC, b.from_pos DESC, r.from_pos DESC
    LIMIT 1
"""
_PLACE: Final = """
    SELECT l.touched, l.n, l.newest_published_at, b.child, b.from_pos,
        (SELECT count(*) FROM page_row WHERE page = b.child {counted}), r.from_pos, r.to_pos
""" + _OPEN_PATH
_PLACE_OPENING: Final = _PLACE.format(counted="")
_PLACE_CLOSING: Final = _PLACE.format(counted="AND to_pos = 9007199254740991")
_PATH: Final = """
    SELECT d.published_at, d.post, d.from_pos, d.page, b.published_at, b.post, b.from_pos, b.child
""" + _OPEN_PATH


def open_membership(
    db: sqlite3.Connection, k: int, published_at: int, post: int, position: int, *, limits: PageLimits = LIMITS
) -> None:
    """Put the post into the listing from `position` on."""
    place = _place(db, _PLACE_OPENING, k, published_at, post, position)
    if place is None:
        _begin(db, k, position)
        place = _place(db, _PLACE_OPENING, k, published_at, post, position)
        assert place
    if place.to_pos == OPEN:
        raise MembershipRefused("in the listing already", k=k, published_at=published_at, post=post, position=position)
    if place.to_pos == position:
        db.execute("UPDATE page_row SET to_pos = ? WHERE page = ? AND published_at = ? AND post = ? AND from_pos = ?", (OPEN, place.leaf, published_at, post, place.from_pos))
    else:
        db.execute("INSERT INTO page_row VALUES (?, ?, ?, ?, ?, NULL)", (place.leaf, published_at, post, position, OPEN))
        if place.rows >= limits.rows:
            _balance(db, k, published_at, post, position, limits)
    newest = published_at if place.newest is None else max(published_at, place.newest)
    _record(db, k, place, position, place.n + 1, newest)


def close_membership(
    db: sqlite3.Connection, k: int, published_at: int, post: int, position: int, *, limits: PageLimits = LIMITS
) -> None:
    """Take the post out of the listing from `position` on."""
    place = _place(db, _PLACE_CLOSING, k, published_at, post, position)
    if place is None or place.to_pos != OPEN:
        raise MembershipRefused("not in the listing", k=k, published_at=published_at, post=post, position=position)
    row = (place.leaf, published_at, post, place.from_pos)
    if position in (place.from_pos, place.leaf_from):
        db.execute("DELETE FROM page_row WHERE page = ? AND published_at = ? AND post = ? AND from_pos = ?", row)
    else:
        db.execute("UPDATE page_row SET to_pos = ? WHERE page = ? AND published_at = ? AND post = ? AND from_pos = ?", (position, *row))
    if place.rows <= limits.rewrite_below:
        _balance(db, k, published_at, post, position, limits)
    newest = place.newest
    if published_at == newest:
        newest = _newest(db, k, published_at)
    _record(db, k, place, position, place.n - 1, newest)


def _place(db: sqlite3.Connection, query: str, k: int, published_at: int, post: int, position: int) -> _Place | None:
    row = db.execute(query, (k, published_at, post)).fetchone()
    if row is None:
        return None
    place = _Place(*row)
    if place.touched > position:
        raise MembershipRefused("back", k=k, published_at=published_at, post=post, position=position)
    return place


def _begin(db: sqlite3.Connection, k: int, position: int) -> None:
    db.execute("INSERT INTO listing VALUES (?, ?, 0, NULL)", (k, position))
    branch, leaf = _new_pages(db, 2)
    db.execute(_DIRECTORY.add, (k, LOWEST, LOWEST, position, branch))
    db.execute(_BRANCH.add, (branch, LOWEST, LOWEST, position, leaf))


def _new_pages(db: sqlite3.Connection, n: int) -> range:
    last = db.execute("SELECT last FROM page_counter").fetchone()[0]
    db.execute("UPDATE page_counter SET last = ?", (last + n,))
    return range(last + 1, last + n + 1)


_NEWEST = """
SELECT r.published_at
FROM page_directory AS d INDEXED BY page_directory_open CROSS JOIN page_row AS b ON b.page = d.page CROSS JOIN page_row AS r ON r.page=b.child
WHERE d.k = ?1 AND d.published_at <= ?2 AND d.to_pos = 9007199254740991
  AND b.published_at <= ?2 AND b.to_pos = 9007199254740991 AND r.published_at <= ?2 AND r.to_pos=9007199254740991
ORDER BY d.published_at DESC, d.post DESC, b.published_at DESC, b.post DESC, b.from_pos DESC, r.published_at DESC, r.post DESC LIMIT 1"""


def _newest(db: sqlite3.Connection, k: int, published_at: int) -> int | None:
    row = db.execute(_NEWEST, (k, published_at)).fetchone()
    return None if row is None else int(row[0])


def _record(db: sqlite3.Connection, k: int, place: _Place, position: int, n: int, newest: int | None) -> None:
    db.execute("UPDATE listing SET touched=?, n=?, newest_published_at=? WHERE k=?", (position, n, newest, k))
    if place.touched < position:
        db.execute("INSERT INTO count_step VALUES (?,?,?)", (k, position, n))
        if newest != place.newest:
            db.execute("INSERT INTO newest_step VALUES (?,?,?)", (k, position, newest))
        return
    r = db.execute("SELECT n FROM count_step WHERE k=? AND pos<? ORDER BY pos DESC LIMIT 1", (k, position)).fetchone()
    n0 = 0 if r is None else r[0]
    if n != n0:
        db.execute("INSERT OR REPLACE INTO count_step VALUES (?,?,?)", (k, position, n))
    else:
        db.execute("DELETE FROM count_step WHERE k=? AND pos=?", (k, position))
    r = db.execute("SELECT newest_published_at FROM newest_step WHERE k=? AND pos<? ORDER BY pos DESC LIMIT 1", (k, position)).fetchone()
    newest0 = None if r is None else r[0]
    if newest != newest0:
        db.execute("INSERT OR REPLACE INTO newest_step VALUES (?,?,?)", (k, position, newest))
    else:
        db.execute("DELETE FROM newest_step WHERE k=? AND pos=?", (k, position))


def _live(db: sqlite3.Connection, page: int):
    return db.execute("SELECT published_at, post, from_pos, to_pos, child FROM page_row WHERE page = ? AND to_pos = 9007199254740991 ORDER BY published_at, post", (page,)).fetchall()


SKEW = True

def _balance(db, k, published_at, post, position, limits):
    row = db.execute(_PATH, (k, published_at, post)).fetchone()
    branch, leaf = _Entry(*row[:4]), _Entry(*row[4:])
    if _rewritten(db, _BRANCH, branch.page, branch.from_pos, leaf, position, limits):
        _rewritten(db, _DIRECTORY, k, -1, branch, position, limits)


def _rewritten(db, parent, owner, owner_from, entry, position, limits) -> bool:
    rows = db.execute("SELECT count(*) FROM page_row WHERE page = ?", (entry.page,)).fetchone()[0]
    live = _live(db, entry.page)
    full = rows > limits.rows
    if not full and len(live) >= limits.rewrite_below:
        return False
    entries = [entry]
    if len(live) < limits.join_below:
        at = (owner, entry.published_at, entry.post)
        r = db.execute(parent.below, at).fetchone() or db.execute(parent.above, at).fetchone()
        if r is not None:
            entries = sorted([entry, _Entry(*r)])
            live = sorted(live + _live(db, r[3]))
        elif not full:
            return False
    for e in entries:
        one = (owner, e.published_at, e.post, e.from_pos)
        if e.from_pos == position:
            db.execute("DELETE FROM page_row WHERE page=?", (e.page,))
        else:
            db.execute("DELETE FROM page_row WHERE page=? AND from_pos=?", (e.page, position))
        if position in (e.from_pos, owner_from):
            db.execute(parent.remove, one)
        else:
            db.execute(parent.close, (position, *one))
    parts = [live]
    if len(live) > limits.split_above:
        cut = len(live) // 2
        if SKEW and len(entries) == 1:
            if live[-1][2] == position: cut = len(live) * 3 // 4
            elif live[0][2] == position: cut = len(live) // 4
        parts = [live[:cut], live[cut:]]
    low = entries[0][:2]
    for page, part in zip(_new_pages(db, len(parts)), parts):
        if part is not parts[0]: low = part[0][:2]
        db.executemany("INSERT INTO page_row VALUES (?,?,?,?,?,?)", [(page, *row) for row in part])
        db.execute(parent.add, (owner, *low, position, page))
    return True
