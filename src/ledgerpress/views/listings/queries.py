"""Queries of listings as of a position: which posts a listing contained, newest or oldest first, and how many.

`ledgerpress.views.listings.membership_btree` writes and describes the tables. A query costs about the same for every
position, regardless of how much was recorded before or after: it reads only the pages that were in use at that
position, and the rows that were in them.

`k` is the key of a listing, as in `ledgerpress.features.posts.listings_projection`. `position` is a position of the
log; a result includes the effect of the event at that position.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot, Topic

LOWEST: Final = -(2**63)
"""The time and the post at which the first page of a listing begins: before all others."""

_HIGHEST: Final = 2**63 - 1


def listing_topic(k: int) -> Topic:
    """Return the topic for the items of a listing, their order and their number."""
    return Topic("listing", k, internal=k < 0)


def changed_listings(snapshot: Snapshot, after: int, ks: Sequence[int]) -> list[Topic]:
    """Return the topics of the listings among `ks` that changed after a position."""
    query = "SELECT k FROM json_each(?2) CROSS JOIN listing ON k = value WHERE touched > ?1"
    return [listing_topic(k) for (k,) in snapshot.about().execute(query, (after, json.dumps(ks)))]


@dataclass(frozen=True, slots=True, order=True)
class ListingKey:
    """The place of a post in a listing; the newest post has the greatest key.

    `published_at` is in microseconds since 1970 UTC and may be negative. `post` is the position at which the post was
    created; it orders posts with the same time.
    """

    published_at: int
    post: int


def list_keys(
    db: sqlite3.Connection,
    ks: Sequence[int],
    position: int,
    *,
    after: ListingKey | None = None,
    before: ListingKey | None = None,
    limit: int,
    newest_first: bool = True,
) -> list[ListingKey]:
    """Return at most `limit` keys of the combined listings `ks` as of `position`, each key once.

    Keys are strictly after `after` and strictly before `before` in the direction of reading, which is from newest to
    oldest unless `newest_first` is false. Raises `ValueError` if `limit` is negative.
    """
    if limit < 0:
        raise ValueError(f"cannot return {limit} keys: the limit cannot be negative")
    walk: _Walk = "up" if not newest_first else "from newest" if after is None else "down"
    start = (LOWEST, LOWEST) if after is None else (after.published_at, after.post)
    keys: list[tuple[int, int]] = []
    for group, newest_of_group in _groups(db, list(dict.fromkeys(ks)), position, newest_first):
        if len(keys) == limit and (limit == 0 or newest_of_group < keys[-1][0]):
            break
        rows = db.execute(_query(walk, len(group)), (position, limit, *start, *group)).fetchall()
        keys = sorted({*keys, *rows}, reverse=newest_first)[:limit] if keys else rows
    # The queries do not contain the far end: they stop after `limit` rows, not at a key.
    if before is not None:
        end = (before.published_at, before.post)
        keys = [key for key in keys if (key > end if newest_first else key < end)]
    return [ListingKey(*key) for key in keys]


def count(db: sqlite3.Connection, k: int, position: int) -> int:
    """Return how many posts the listing contained as of `position`."""
    row = db.execute(
        "SELECT n FROM count_step WHERE k = ? AND pos <= ? ORDER BY pos DESC LIMIT 1", (k, position)
    ).fetchone()
    return 0 if row is None else int(row[0])


def members(db: sqlite3.Connection, k: int, position: int) -> list[int]:
    """Return all posts in the listing as of `position`, in no particular order, by the positions of their creation."""
    return [post for (post,) in db.execute(_MEMBERS, (k, position))]


def newest(db: sqlite3.Connection, k: int, position: int) -> int | None:
    """Return the latest publishing time in a listing as of `position`, in microseconds; `None` if it is empty."""
    row = db.execute(
        "SELECT newest_published_at FROM newest_step WHERE k = ? AND pos <= ? ORDER BY pos DESC LIMIT 1",
        (k, position),
    ).fetchone()
    return None if row is None or row[0] is None else int(row[0])


_Walk = Literal["from newest", "down", "up"]

# Parameters: ?1 position, ?2 limit, ?3 and ?4 the key to start from, then the listings.
# A listing is a tree of pages: rows of the directory name branch pages, whose rows name leaf pages. The query reads the
# rows of each level in the order of the primary key, so SQLite sorts nothing, and stops at the limit.
_WALK: Final = """
    SELECT r.published_at, r.post
    FROM {first}page_directory AS d
    CROSS JOIN page_row AS b ON b.page = d.page
    CROSS JOIN page_row AS r ON r.page = b.child
    WHERE d.k = :k AND d.from_pos <= ?1 AND d.to_pos > ?1 AND {d}
        AND b.from_pos <= ?1 AND b.to_pos > ?1 AND {b}
        AND r.from_pos <= ?1 AND r.to_pos > ?1 AND {r}
    ORDER BY d.published_at {order}, d.post {order}, d.from_pos {order},
        b.published_at {order}, b.post {order}, b.from_pos {order}, r.published_at {order}, r.post {order}
    LIMIT ?2
"""
# The branch or the leaf whose range of keys contains the start.
_BRANCH_OF_START: Final = """
    SELECT published_at, post FROM page_directory
    WHERE k = :k AND from_pos <= ?1 AND to_pos > ?1 AND (published_at, post) <= (?3, ?4)
    ORDER BY published_at DESC, post DESC, from_pos DESC LIMIT 1
"""
_LEAF_OF_START: Final = """
    SELECT b.published_at, b.post FROM page_directory AS d CROSS JOIN page_row AS b ON b.page = d.page
    WHERE d.k = :k AND d.from_pos <= ?1 AND d.to_pos > ?1 AND (d.published_at, d.post) <= (?3, ?4)
        AND b.from_pos <= ?1 AND b.to_pos > ?1 AND (b.published_at, b.post) <= (?3, ?4)
    ORDER BY d.published_at DESC, d.post DESC, d.from_pos DESC,
        b.published_at DESC, b.post DESC, b.from_pos DESC
    LIMIT 1
"""
_WALKS: Final[dict[_Walk, str]] = {
    "from newest": _WALK.format(
        order="DESC",
        first="newest_step AS n CROSS JOIN ",
        d="d.published_at <= n.newest_published_at AND n.k = :k"
        " AND n.pos = (SELECT max(pos) FROM newest_step WHERE k = :k AND pos <= ?1)",
        b="b.published_at <= n.newest_published_at",
        r="r.published_at <= n.newest_published_at",
    ),
    "down": _WALK.format(
        order="DESC",
        first="",
        d="(d.published_at, d.post) < (?3, ?4)",
        b="(b.published_at, b.post) < (?3, ?4)",
        r="(r.published_at, r.post) < (?3, ?4)",
    ),
    "up": _WALK.format(
        order="ASC",
        first="",
        d=f"(d.published_at, d.post) >= ({_BRANCH_OF_START})",
        b=f"(b.published_at, b.post) >= ({_LEAF_OF_START})",
        r="(r.published_at, r.post) > (?3, ?4)",
    ),
}
_RANKED: Final = """
    SELECT k.value, (
        SELECT newest_published_at FROM newest_step AS n
        WHERE n.k = k.value AND n.pos <= ?2 ORDER BY n.pos DESC LIMIT 1
    ) AS newest
    FROM json_each(?1) AS k ORDER BY newest DESC
"""
_MEMBERS: Final = """
    SELECT r.post
    FROM page_directory AS d
    CROSS JOIN page_row AS b ON b.page = d.page
    CROSS JOIN page_row AS r ON r.page = b.child
    WHERE d.k = ?1 AND d.from_pos <= ?2 AND d.to_pos > ?2
        AND b.from_pos <= ?2 AND b.to_pos > ?2
        AND r.from_pos <= ?2 AND r.to_pos > ?2
"""
_ARM: Final = "SELECT * FROM ({})"
_ORDER: Final = " ORDER BY 1 {0}, 2 {0} LIMIT ?2"
_GROUP: Final = 8  # listings per statement; sorting more of them costs more than another statement


@cache
def _query(walk: _Walk, listings: int) -> str:
    arms = (_WALKS[walk].replace(":k", f"?{number}") for number in range(5, 5 + listings))
    if listings == 1:
        return next(arms)
    order = "ASC" if walk == "up" else "DESC"
    return " UNION ".join(map(_ARM.format, arms)) + _ORDER.format(order)


def _groups(
    db: sqlite3.Connection, ks: list[int], position: int, newest_first: bool
) -> Iterator[tuple[list[int], int]]:
    """Split the listings into groups, and yield each with a time.

    No key in that group or in a later group is newer than this time.
    """
    if len(ks) <= _GROUP or not newest_first:
        ranked = [(k, _HIGHEST) for k in ks]
    else:
        rows = db.execute(_RANKED, (json.dumps(ks), position))
        ranked = [(k, newest_of_k) for k, newest_of_k in rows if newest_of_k is not None]
    for first in range(0, len(ranked), _GROUP):
        group = ranked[first : first + _GROUP]
        yield [k for k, _ in group], group[0][1]
