"""Who is in which listing, as of every position: pages of membership, split by key and by time.

A membership is the stretch of positions through which a post was in a listing. Memberships are the rows of
leaf pages, leaves are the rows of branch pages, and branches stand in a directory: a multiversion B-tree of
three levels. The pages in use at a position part all keys among them without gap or overlap, so whoever reads
as of that position walks as if there had never been any other page. `ledgerpress.readmodels.listings` has the
queries, and `ledgerpress.projections.listing_splits` says when a page gives way to new ones.

Nothing is remembered between calls, and the caller owns the transaction: the rows depend on the order of the
changes alone, not on how they were batched.
"""

import sqlite3
from typing import Final, NamedTuple

from ledgerpress.projections.listing_splits import BRANCHES, LIVE_PATH, ROWS, PageLimits, balance, new_pages
from ledgerpress.readmodels.listings import LOWEST
from ledgerpress.readmodels.temporal import OPEN

SCHEMA: Final = """
-- How a listing stands now. `touched` is the position of its last change.
CREATE TABLE listing (
    k INTEGER PRIMARY KEY, touched INTEGER NOT NULL, n INTEGER NOT NULL, newest_published_at INTEGER
) STRICT;

-- The branches of a listing: `page` holds the keys from this one up to that of the next branch.
CREATE TABLE page_directory (
    k INTEGER NOT NULL, published_at INTEGER NOT NULL, post INTEGER NOT NULL,
    from_pos INTEGER NOT NULL, to_pos INTEGER NOT NULL, page INTEGER NOT NULL,
    PRIMARY KEY (k, published_at DESC, post DESC, from_pos DESC)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX page_directory_open ON page_directory (k, published_at DESC, post DESC)
    WHERE to_pos = 9007199254740991;

-- The leaves of a branch: `child` holds the keys from this one up to that of the next leaf.
-- The memberships of a leaf: `child` is null.
CREATE TABLE page_row (
    page INTEGER NOT NULL, published_at INTEGER NOT NULL, post INTEGER NOT NULL,
    from_pos INTEGER NOT NULL, to_pos INTEGER NOT NULL, child INTEGER,
    PRIMARY KEY (page, published_at DESC, post DESC, from_pos DESC)
) STRICT, WITHOUT ROWID;

CREATE TABLE page_counter (last INTEGER NOT NULL) STRICT;
INSERT INTO page_counter VALUES (0);

-- From `pos` on a listing holds `n` posts, the newest of them published then (null where there is none).
CREATE TABLE count_step (
    k INTEGER NOT NULL, pos INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (k, pos)
) STRICT, WITHOUT ROWID;
CREATE TABLE newest_step (
    k INTEGER NOT NULL, pos INTEGER NOT NULL, newest_published_at INTEGER, PRIMARY KEY (k, pos)
) STRICT, WITHOUT ROWID;
"""
LIMITS: Final = PageLimits()


class MembershipRefused(ValueError):
    """A change that does not follow from what is recorded. Nothing was written."""

    def __init__(self, why: str, *, k: int, published_at: int, post: int, position: int) -> None:
        super().__init__(f"listing {k}, post {post} of {published_at}, position {position}: {why}")
        self.k = k
        self.published_at = published_at
        self.post = post
        self.position = position


def open_membership(
    db: sqlite3.Connection,
    k: int,
    published_at: int,
    post: int,
    position: int,
    *,
    limits: PageLimits = LIMITS,
) -> None:
    """Put the post into listing `k` from `position` on, at `published_at` (microseconds since 1970 UTC).

    Raises `MembershipRefused` where it is there already, or the listing was changed at a later position.
    """
    place = _place(db, _PLACE_OPENING, k, published_at, post, position) or _begin(db, k, position)
    if place.to_pos == OPEN:
        why = "the post is in the listing already"
        raise MembershipRefused(why, k=k, published_at=published_at, post=post, position=position)
    if place.to_pos == position:
        db.execute(ROWS.close, (OPEN, place.leaf, published_at, post, place.from_pos))
    else:
        db.execute(ROWS.add, (place.leaf, published_at, post, position, None))
        if place.rows >= limits.rows:
            balance(db, k, published_at, post, position, limits)
    newest = published_at if place.newest is None else max(place.newest, published_at)
    _record(db, k, position, place, place.n + 1, newest)


def close_membership(
    db: sqlite3.Connection,
    k: int,
    published_at: int,
    post: int,
    position: int,
    *,
    limits: PageLimits = LIMITS,
) -> None:
    """Take the post out of listing `k` from `position` on; `published_at` is as it was when it was put in.

    Raises `MembershipRefused` where it is not there, or the listing was changed at a later position.
    """
    place = _place(db, _PLACE_CLOSING, k, published_at, post, position)
    if place is None or place.to_pos != OPEN:
        why = "the post is not in the listing"
        raise MembershipRefused(why, k=k, published_at=published_at, post=post, position=position)
    row = (place.leaf, published_at, post, place.from_pos)
    if position in (place.from_pos, place.leaf_from):
        db.execute(ROWS.remove, row)
    else:
        db.execute(ROWS.close, (position, *row))
    if place.rows <= limits.rewrite_below:
        balance(db, k, published_at, post, position, limits)
    newest = place.newest
    if newest == published_at:
        left = db.execute(_NEWEST, (k, published_at)).fetchone()
        newest = None if left is None else left[0]
    _record(db, k, position, place, place.n - 1, newest)


class _Place(NamedTuple):
    """How the listing stands, the leaf in use for a key, and the bounds of the key's latest row there.

    `rows` counts the leaf's: all of them before opening, the live ones before closing.
    """

    touched: int
    n: int
    newest: int | None
    leaf: int
    leaf_from: int
    rows: int
    from_pos: int | None
    to_pos: int | None


_PLACE: Final = """
    SELECT l.touched, l.n, l.newest_published_at, b.child, b.from_pos,
        (SELECT count(*) FROM page_row WHERE page = b.child {only}), r.from_pos, r.to_pos
"""
_PLACE_OPENING: Final = _PLACE.format(only="") + LIVE_PATH
_PLACE_CLOSING: Final = _PLACE.format(only="AND to_pos = 9007199254740991") + LIVE_PATH
_NEWEST: Final = """
    SELECT r.published_at
    FROM page_directory AS d INDEXED BY page_directory_open
    CROSS JOIN page_row AS b ON b.page = d.page
    CROSS JOIN page_row AS r ON r.page = b.child
    WHERE d.k = ?1 AND d.published_at <= ?2 AND d.to_pos = 9007199254740991
        AND b.published_at <= ?2 AND b.to_pos = 9007199254740991
        AND r.published_at <= ?2 AND r.to_pos = 9007199254740991
    ORDER BY d.published_at DESC, d.post DESC, b.published_at DESC, b.post DESC, b.from_pos DESC,
        r.published_at DESC
    LIMIT 1
"""


def _place(
    db: sqlite3.Connection, query: str, k: int, published_at: int, post: int, position: int
) -> _Place | None:
    row = db.execute(query, (k, published_at, post)).fetchone()
    if row is None:
        return None
    place = _Place(*row)
    if place.touched > position:
        why = f"the listing was last changed at {place.touched}"
        raise MembershipRefused(why, k=k, published_at=published_at, post=post, position=position)
    return place


def _begin(db: sqlite3.Connection, k: int, position: int) -> _Place:
    branch, leaf = new_pages(db, 2)
    db.execute("INSERT INTO listing VALUES (?, ?, 0, NULL)", (k, position))
    db.execute(BRANCHES.add, (k, LOWEST, LOWEST, position, branch))
    db.execute(ROWS.add, (branch, LOWEST, LOWEST, position, leaf))
    return _Place(position, 0, None, leaf, position, 0, None, None)


def _record(
    db: sqlite3.Connection, k: int, position: int, before: _Place, n: int, newest: int | None
) -> None:
    db.execute(
        "UPDATE listing SET touched = ?, n = ?, newest_published_at = ? WHERE k = ?", (position, n, newest, k)
    )
    if before.touched < position:
        db.execute(_COUNTS.add, (k, position, n))
        if newest != before.newest:
            db.execute(_NEWEST_TIMES.add, (k, position, newest))
    else:
        _COUNTS.replace(db, k, position, n, at_first=0)
        _NEWEST_TIMES.replace(db, k, position, newest, at_first=None)


class _Steps:
    """A step function of the position for each listing: a row wherever its value changes."""

    def __init__(self, table: str, value: str) -> None:
        add, remove, before = (
            "INSERT INTO {table} VALUES (?, ?, ?)",
            "DELETE FROM {table} WHERE k = ? AND pos = ?",
            "SELECT {value} FROM {table} WHERE k = ? AND pos < ? ORDER BY pos DESC LIMIT 1",
        )
        self.add = add.format(table=table)
        self._remove = remove.format(table=table)
        self._before = before.format(table=table, value=value)

    def replace(
        self, db: sqlite3.Connection, k: int, position: int, value: int | None, *, at_first: int | None
    ) -> None:
        """Let the step at `position` lead to `value`, and be none if that changes nothing."""
        before = db.execute(self._before, (k, position)).fetchone()
        db.execute(self._remove, (k, position))
        if value != (at_first if before is None else before[0]):
            db.execute(self.add, (k, position, value))


_COUNTS: Final = _Steps("count_step", "n")
_NEWEST_TIMES: Final = _Steps("newest_step", "newest_published_at")
