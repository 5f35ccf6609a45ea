"""Edge cases of listings: no posts, equal or extreme times, repeated changes, and the cost of changes and queries."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from random import Random

import pytest

from ledgerpress.views.listings.btree_pages import PageLimits
from ledgerpress.views.listings.membership_btree import (
    RECORDED_PLACES,
    SCHEMA,
    MembershipRefused,
    Memberships,
)
from ledgerpress.views.listings.queries import LOWEST, ListingKey, count, list_keys, newest
from ledgerpress.views.temporal_and_step_rows import OPEN

NOW = OPEN - 1


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.executescript(SCHEMA)
        yield db


def open_membership(db: sqlite3.Connection, k: int, published_at: int, post: int, position: int) -> None:
    memberships = Memberships(db)
    memberships.open(k, published_at, post, position)
    memberships.flush()


def close_membership(db: sqlite3.Connection, k: int, published_at: int, post: int, position: int) -> None:
    memberships = Memberships(db)
    memberships.close(k, published_at, post, position)
    memberships.flush()


def posts(keys: list[ListingKey]) -> list[int]:
    return [key.post for key in keys]


def memberships(db: sqlite3.Connection) -> list[tuple[int, int]]:
    return db.execute("SELECT from_pos, to_pos FROM page_row WHERE child IS NULL").fetchall()


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("cursor", [None, ListingKey(5, 5)])
@pytest.mark.parametrize("position", [0, 1, 3, 4, NOW])
def test_a_listing_without_posts(
    db: sqlite3.Connection, position: int, cursor: ListingKey | None, newest_first: bool
) -> None:
    open_membership(db, 7, 100, 2, 2)
    close_membership(db, 7, 100, 2, 3)
    open_membership(db, 8, 100, 5, 5)
    for ks in ([], [7], [6, 7]):
        assert list_keys(db, ks, position, after=cursor, limit=5, newest_first=newest_first) == []
    assert count(db, 7, position) == 0
    assert newest(db, 7, position) is None


def test_a_post_in_several_listings_and_a_repeated_listing_give_one_key(
    db: sqlite3.Connection,
) -> None:
    for k in (0, 7, 8):
        open_membership(db, k, 100, 2, 3)
    open_membership(db, 8, 50, 1, 4)
    assert posts(list_keys(db, [7, 7], NOW, limit=5)) == [2]
    assert posts(list_keys(db, [0, 7, 8, 7], NOW, limit=5)) == [2, 1]
    assert posts(list_keys(db, [8, 0, 7], NOW, limit=2, newest_first=False)) == [1, 2]


def test_limits(db: sqlite3.Connection) -> None:
    open_membership(db, 0, 100, 2, 3)
    assert list_keys(db, [0], NOW, limit=0) == []
    assert list_keys(db, [0, 1], NOW, limit=0, newest_first=False) == []
    assert list_keys(db, list(range(20)), NOW, limit=0) == []
    with pytest.raises(ValueError, match="-1 keys"):
        list_keys(db, [0], NOW, limit=-1)


def test_equal_times_are_ordered_by_the_creation_of_the_posts(db: sqlite3.Connection) -> None:
    for position, post in enumerate((4, 2, 9, 1), start=10):
        open_membership(db, 0, 100, post, position)
    assert posts(list_keys(db, [0], NOW, limit=9)) == [9, 4, 2, 1]
    assert posts(list_keys(db, [0], NOW, after=ListingKey(100, 4), limit=9)) == [2, 1]
    assert posts(list_keys(db, [0], NOW, after=ListingKey(100, 9), before=ListingKey(100, 1), limit=9)) == [
        4,
        2,
    ]
    assert posts(list_keys(db, [0], NOW, after=ListingKey(100, 2), limit=9, newest_first=False)) == [4, 9]
    assert posts(list_keys(db, [0], NOW, before=ListingKey(100, 4), limit=9, newest_first=False)) == [1, 2]


@pytest.mark.slow
def test_thousands_of_equal_times(db: sqlite3.Connection) -> None:
    for post in range(1, 3001):
        open_membership(db, 0, 100, post, post)
    assert posts(list_keys(db, [0], 2000, after=ListingKey(100, 1500), limit=3)) == [1499, 1498, 1497]
    assert posts(list_keys(db, [0], 2000, after=ListingKey(100, 1500), limit=2, newest_first=False)) == [
        1501,
        1502,
    ]
    assert posts(list_keys(db, [0], 2000, limit=2)) == [2000, 1999]


def test_times_before_1970_and_at_both_ends_of_the_range(db: sqlite3.Connection) -> None:
    times = [LOWEST, -1, 0, 2**63 - 1]
    for position, published_at in enumerate(times, start=1):
        open_membership(db, 0, published_at, position, position)
    assert newest(db, 0, 2) == -1
    assert [key.published_at for key in list_keys(db, [0], NOW, limit=9)] == times[::-1]
    assert [key.published_at for key in list_keys(db, [0], NOW, limit=9, newest_first=False)] == times
    assert posts(list_keys(db, [0], NOW, after=ListingKey(LOWEST, 0), limit=1, newest_first=False)) == [1]
    assert list_keys(db, [0], NOW, after=ListingKey(LOWEST, 0), limit=1) == []


def test_the_newest_of_many_listings_with_equal_times(db: sqlite3.Connection) -> None:
    ks = range(1, 31)
    for k in ks:
        open_membership(db, k, 100, 1000 + k, 1000 + k)
        open_membership(db, k, 90 + k % 2, 2000 + k, 2000 + k)
    assert posts(list_keys(db, ks, NOW, limit=4)) == [1030, 1029, 1028, 1027]
    assert posts(list_keys(db, ks[::-1], NOW, limit=4)) == [1030, 1029, 1028, 1027]
    assert posts(list_keys(db, ks, NOW, after=ListingKey(100, 1002), limit=3)) == [1001, 2029, 2027]
    assert posts(list_keys(db, ks, NOW, limit=2, newest_first=False)) == [2002, 2004]
    assert posts(list_keys(db, ks, 1010, limit=2)) == [1010, 1009]


def test_a_post_that_is_added_and_removed_at_one_position_leaves_no_rows(db: sqlite3.Connection) -> None:
    open_membership(db, 0, 100, 2, 3)
    close_membership(db, 0, 100, 2, 3)
    assert memberships(db) == []
    assert db.execute("SELECT * FROM count_step UNION ALL SELECT * FROM newest_step").fetchall() == []


def test_a_post_that_is_removed_and_added_again_at_one_position_keeps_its_row(db: sqlite3.Connection) -> None:
    open_membership(db, 0, 100, 2, 3)
    close_membership(db, 0, 100, 2, 4)
    open_membership(db, 0, 100, 2, 4)
    assert memberships(db) == [(3, OPEN)]
    assert db.execute("SELECT pos, n FROM count_step").fetchall() == [(3, 1)]
    assert db.execute("SELECT pos, newest_published_at FROM newest_step").fetchall() == [(3, 100)]


def test_the_last_of_several_changes_at_one_position_counts(db: sqlite3.Connection) -> None:
    open_membership(db, 0, 100, 2, 3)
    close_membership(db, 0, 100, 2, 5)
    open_membership(db, 0, 70, 2, 5)  # a corrected date
    open_membership(db, 0, 90, 4, 5)
    assert [count(db, 0, position) for position in (2, 3, 4, 5)] == [0, 1, 1, 2]
    assert [newest(db, 0, position) for position in (2, 3, 4, 5)] == [None, 100, 100, 90]


def test_contradictory_changes_are_rejected(db: sqlite3.Connection) -> None:
    with pytest.raises(MembershipRefused, match="not in the listing"):
        close_membership(db, 0, 100, 2, 3)
    open_membership(db, 0, 100, 2, 3)
    with pytest.raises(MembershipRefused, match=r"^listing 0, post 2 of 100, position 4: .* already"):
        open_membership(db, 0, 100, 2, 4)
    with pytest.raises(MembershipRefused, match="not in the listing"):
        close_membership(db, 0, 101, 2, 4)
    with pytest.raises(MembershipRefused, match="last changed at 3"):
        close_membership(db, 0, 100, 2, 2)
    assert posts(list_keys(db, [0], NOW, limit=9)) == [2]


def newest_last(i: int) -> int:
    return i


def newest_first(i: int) -> int:
    return -i


def scattered(i: int) -> int:
    return i * 7919 % 10007


@pytest.mark.slow
@pytest.mark.parametrize("order", [newest_last, newest_first, scattered])
def test_the_number_of_written_rows_is_linear_in_the_number_of_changes(
    db: sqlite3.Connection, order: Callable[[int], int]
) -> None:
    n = 3000
    before = db.total_changes
    for i in range(n):
        open_membership(db, 0, order(i), 1, 1 + i)
    assert db.total_changes - before < 7 * n
    before = db.total_changes
    for i in range(n):
        if i % 100:
            close_membership(db, 0, order(i), 1, 1 + n + i)
    assert db.total_changes - before < 6 * n
    before = db.total_changes
    for i in range(n):
        close_membership(db, 0, order(0), 1, 1 + 2 * n + i)
        open_membership(db, 0, order(0), 1, 1 + 2 * n + i + i % 2)
    assert db.total_changes - before < 12 * n
    leaves = """
        SELECT count(*) FROM page_directory AS d JOIN page_row AS b USING (page)
        WHERE d.to_pos = ?1 AND b.to_pos = ?1
    """
    assert db.execute(leaves, (OPEN,)).fetchone()[0] < 4
    assert len(list_keys(db, [0], NOW, limit=n)) == n // 100


@pytest.mark.slow
def test_later_changes_do_not_slow_down_queries_of_the_past(db: sqlite3.Connection) -> None:
    for i in range(500):
        open_membership(db, 0, i * 1000, i, 1 + i)
    early = effort(db, 500)
    for i in range(5000):
        open_membership(db, 0, 498_001 + i * 7919 % 10007, 1, 1000 + i)  # just below the newest, and above it
    for i in range(4900):
        close_membership(db, 0, 498_001 + i * 7919 % 10007, 1, 10_000 + i)
    assert effort(db, 500) < 2 * early
    assert effort(db, 6000) < 2 * early
    assert effort(db, NOW) < 4 * early


def effort(db: sqlite3.Connection, position: int) -> int:
    """Return how many instructions SQLite executes for a page as of `position`."""
    instructions = 0

    def tick() -> int:
        nonlocal instructions
        instructions += 1
        return 0

    db.set_progress_handler(tick, 1)
    assert len(list_keys(db, [0], position, limit=20)) == 20
    db.set_progress_handler(None, 1)
    return instructions


@pytest.mark.parametrize("seed", range(3))
def test_the_places_of_changes_are_those_in_the_whole_listing(db: sqlite3.Connection, seed: int) -> None:
    """Places are counted over several leaves, and only those near the beginning are recorded."""
    chance, members, expected = Random(seed), set[int](), dict[tuple[int, int], int]()
    limits = PageLimits(rows=8)
    for position in range(1, 400):
        date = chance.randrange(150)
        place = sum(member > date for member in members)
        memberships = Memberships(db, limits)
        change = memberships.close if date in members else memberships.open
        change(1, date, 7 + date, position)
        members ^= {date}
        if place < RECORDED_PLACES:
            expected[position, 7 + date] = place
        memberships.flush()
    rows = db.execute("SELECT pos, post, place FROM first_page_change WHERE k = 1")
    assert {(position, post): place for position, post, place in rows} == expected
    assert len(members) > RECORDED_PLACES
    assert len(expected) < 399
    internal = Memberships(db, limits)
    internal.open(-1, 1, 1, 1)
    internal.flush()
    assert db.execute("SELECT count(*) FROM first_page_change WHERE k < 0").fetchone() == (0,)
