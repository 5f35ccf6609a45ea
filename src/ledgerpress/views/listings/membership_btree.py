"""Records which items are in which listings as of every position, in pages that are split by key and by time.

A membership is the range of positions in which an item (`post`) was in a listing. Memberships are the rows of leaf
pages, leaves are the rows of branch pages, and branches are in a directory: a multiversion B-tree with three levels.
The pages in use at a position cover all keys without gaps or overlaps, so a reader as of that position needs no other
page. `ledgerpress.views.listings.queries` contains the queries. `btree_pages` holds the pages of a transaction, and
decides when new pages replace a page.

Nothing is cached beyond a transaction, which the caller owns. So the rows depend only on the order of the changes, not
on how they were batched.
"""

import sqlite3
from bisect import bisect_left
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from ledgerpress.views.listings.btree_pages import END, Directory, Key, Leaf, PageLimits, Pages
from ledgerpress.views.listings.queries import LOWEST
from ledgerpress.views.projection.projector_interface_and_composition import write_all
from ledgerpress.views.temporal_and_step_rows import StepRows, StepTable

SCHEMA: Final = """
-- The current state of a listing. `touched` is the position of its last change.
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

-- The changes near the beginning of a listing for readers: a post entered, left or changed at `place` (0 is the newest).
CREATE TABLE first_page_change (
    k INTEGER NOT NULL, pos INTEGER NOT NULL, post INTEGER NOT NULL, place INTEGER NOT NULL,
    PRIMARY KEY (k, pos, post)
) STRICT, WITHOUT ROWID;
"""
RECORDED_PLACES: Final = 40
"""How many places from the beginning of a listing have recorded changes.

A page is shorter: if some of these posts are hidden today, others take their places on a page of the past.
"""
LIMITS: Final = PageLimits()
_COUNTS: Final = StepTable("count_step", "n", initial=0)
_NEWEST_TIMES: Final = StepTable("newest_step", "newest_published_at", initial=None)


class MembershipRefused(ValueError):
    """A change contradicts the recorded memberships. Nothing was written."""

    def __init__(self, why: str, k: int, key: Key, position: int) -> None:
        super().__init__(f"listing {k}, post {key[1]} of {key[0]}, position {position}: {why}")


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


@dataclass(slots=True)
class _ListingState:
    """The state of a listing, and whether the state still has to be written.

    `before` is the number of items and the newest date before `changed_at`. It is `None` (unknown) until this
    transaction changes the listing at a later position than earlier transactions.
    """

    k: int
    changed_at: int
    n: int
    newest: int | None
    before: tuple[int | None, int | None] | None = None
    changed: bool = False


class Memberships:
    """The memberships of all listings in one transaction. Only the directory is written before `flush`."""

    def __init__(self, db: sqlite3.Connection, limits: PageLimits = LIMITS) -> None:
        self._db = db
        self._limits = limits
        self._pages = Pages(db, limits)
        self._directory = Directory(db)
        self._states: dict[int, _ListingState] = {}
        self._leaves: dict[int, Leaf] = {}
        self._counts = StepRows(db, _COUNTS)
        self._newest_times = StepRows(db, _NEWEST_TIMES)
        self._first_page_changes: dict[tuple[int, int, int], int] = {}

    def open(self, k: int, published_at: int, post: int, position: int) -> None:
        """Add the post to listing `k` from `position` on, under `published_at` (microseconds since 1970 UTC).

        Raises `MembershipRefused` if the post is already there, or if the listing was changed at a later position.
        """
        key = (published_at, post)
        listing = self._states.get(k) or self._state(k) or self._begin(k, position)
        if listing.changed_at > position:
            raise MembershipRefused(f"the listing was last changed at {listing.changed_at}", k, key, position)
        leaf = self._leaf(k, key)
        page = leaf.page
        if page.find(key) is not None:
            raise MembershipRefused("the post is in the listing already", k, key, position)
        self._record_place(k, key, position, leaf)
        just_left = self._pages.ended_at(page, key, position) if listing.changed_at == position else None
        if just_left is not None:
            self._pages.reopen(page, just_left)
        else:
            self._pages.add(page, (published_at, post, position, None))
            if page.rows > self._limits.rows:
                self._balance(k, leaf, position)
        newest = listing.newest
        if newest is None or newest < published_at:
            newest = published_at
        self._record(listing, position, listing.n + 1, newest)

    def close(self, k: int, published_at: int, post: int, position: int) -> None:
        """Remove the post from listing `k` from `position` on; `published_at` is the value with which it was added.

        Raises `MembershipRefused` if the post is not there, or if the listing was changed at a later position.
        """
        key = (published_at, post)
        listing = self._states.get(k) or self._state(k)
        if listing is not None and listing.changed_at > position:
            raise MembershipRefused(f"the listing was last changed at {listing.changed_at}", k, key, position)
        leaf = self._leaf(k, key) if listing is not None else None
        row = leaf.page.find(key) if leaf is not None else None
        if listing is None or leaf is None or row is None:
            raise MembershipRefused("the post is not in the listing", k, key, position)
        self._record_place(k, key, position, leaf)
        rows = len(leaf.page.live)
        if position in (row[2], leaf.entry.from_pos):
            self._pages.remove(leaf.page, row)
        else:
            self._pages.close(leaf.page, row, position)
        newest = listing.newest
        if newest == published_at:
            newest = self._newest(listing, published_at, leaf)
        if rows <= self._limits.rewrite_below:
            self._balance(k, leaf, position)
        self._record(listing, position, listing.n - 1, newest)

    def touch(self, k: int, published_at: int, post: int, position: int) -> None:
        """Record that a post in the listing changed: readers of its first page see another title, for example."""
        key = (published_at, post)
        self._record_place(k, key, position, self._leaf(k, key))

    def load(self, ks: Collection[int]) -> None:
        """Read the states of these listings at once, if there are several that this transaction has not used."""
        missing = [k for k in ks if k not in self._states]
        if len(missing) > 1:
            query = f"SELECT * FROM listing WHERE k IN ({', '.join('?' * len(missing))})"  # noqa: S608
            for row in self._db.execute(query, missing):
                self._states[row[0]] = _ListingState(*row)

    def flush(self) -> None:
        changed = [listing for listing in self._states.values() if listing.changed]
        for listing in changed:
            self._end_steps(listing)
        self._pages.flush()
        self._counts.flush()
        self._newest_times.flush()
        write_all(
            self._db,
            "INSERT INTO first_page_change VALUES (?, ?, ?, ?)"
            " ON CONFLICT (k, pos, post) DO UPDATE SET place = min(place, excluded.place)",
            [(*key, place) for key, place in self._first_page_changes.items()],
        )
        self._first_page_changes.clear()
        write_all(
            self._db,
            "INSERT OR REPLACE INTO listing VALUES (?, ?, ?, ?)",
            [(listing.k, listing.changed_at, listing.n, listing.newest) for listing in changed],
        )

    def _state(self, k: int) -> _ListingState | None:
        row = self._db.execute("SELECT * FROM listing WHERE k = ?", (k,)).fetchone()
        if row is None:
            return None
        state = self._states[k] = _ListingState(*row)
        return state

    def _begin(self, k: int, position: int) -> _ListingState:
        branch, leaf = self._pages.make(), self._pages.make()
        self._directory.add(k, (LOWEST, LOWEST, position, branch.id))
        self._pages.add(branch, (LOWEST, LOWEST, position, leaf.id))
        self._states[k] = state = _ListingState(k, position, 0, None)
        return state

    def _leaf(self, k: int, key: Key) -> Leaf:
        """Return the leaf whose range contains the key; usually the leaf that was returned last for the listing."""
        leaf = self._leaves.get(k)
        if leaf is None or not leaf.first <= key < leaf.end:
            leaf = self._leaves[k] = self._pages.leaf(self._directory.find(k, key), key)
        return leaf

    def _record_place(self, k: int, key: Key, position: int, leaf: Leaf) -> None:
        """Record that a post enters, leaves or changes, if it is near the beginning of a listing for readers.

        `leaf` is the leaf whose range contains the key.
        """
        if k < 0:
            return
        live = leaf.page.live
        place = len(live) - bisect_left(live, (key[0], key[1] + 1))
        while place < RECORDED_PLACES and leaf.end != END:
            leaf = self._pages.leaf(self._directory.find(k, leaf.end), leaf.end)
            place += len(leaf.page.live)
        if place < RECORDED_PLACES:
            change = (k, position, key[1])
            self._first_page_changes[change] = min(place, self._first_page_changes.get(change, place))

    def _balance(self, k: int, leaf: Leaf, position: int) -> None:
        del self._leaves[k]
        self._pages.balance(self._directory, k, leaf, position)

    def _newest(self, listing: _ListingState, date: int, leaf: Leaf) -> int | None:
        """Return the date of the newest post, after a post with the latest date, `date`, was removed from its leaf.

        No post is later than `date`, so every post to the right of the leaf has this date.
        """
        if listing.n == 1:
            return None
        if leaf.page.live and leaf.end[0] > date:
            return leaf.page.live[-1][0]
        self._pages.flush()
        row = self._db.execute(_NEWEST, (listing.k, date)).fetchone()
        return None if row is None else int(row[0])

    def _record(self, listing: _ListingState, position: int, n: int, newest: int | None) -> None:
        if listing.changed_at < position:
            if listing.changed:
                self._end_steps(listing)
            listing.changed_at, listing.before = position, (listing.n, listing.newest)
        listing.n, listing.newest, listing.changed = n, newest, True

    def _end_steps(self, listing: _ListingState) -> None:
        """Buffer the steps at the position of the last change, where no further change follows."""
        k, position = listing.k, listing.changed_at
        if listing.before is None:
            listing.before = self._counts.before(k, position), self._newest_times.before(k, position)
            self._counts.remove(k, position)
            self._newest_times.remove(k, position)
        n, newest = listing.before
        if listing.n != n:
            self._counts.add(k, position, listing.n)
        if listing.newest != newest:
            self._newest_times.add(k, position, listing.newest)
