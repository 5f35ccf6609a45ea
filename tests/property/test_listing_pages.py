"""For any additions to and removals from listings, queries as of every position equal those of a plain model."""

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgerpress.views.listings.btree_pages import PageLimits
from ledgerpress.views.listings.membership_btree import SCHEMA, MembershipRefused, Memberships
from ledgerpress.views.listings.queries import LOWEST, ListingKey, count, list_keys, members, newest
from ledgerpress.views.temporal_and_step_rows import OPEN

LISTINGS = range(-2, 11)
KEYS = [ListingKey(published_at, post) for published_at in range(-32, 32) for post in (2, 3, 5, 9)]


@dataclass(frozen=True)
class Change:
    position: int
    k: int
    key: ListingKey
    opens: bool

    def apply(self, memberships: Memberships) -> None:
        change = memberships.open if self.opens else memberships.close
        change(self.k, self.key.published_at, self.key.post, self.position)


@dataclass
class Model:
    """All memberships as ranges [from, to), without any index."""

    spans: dict[int, dict[ListingKey, list[list[int]]]] = field(default_factory=dict)

    def toggle(self, k: int, key: ListingKey, position: int) -> Change:
        spans = self.spans.setdefault(k, {}).setdefault(key, [])
        opens = not spans or spans[-1][1] != OPEN
        if opens:
            spans.append([position, OPEN])
        else:
            spans[-1][1] = position
        return Change(position, k, key, opens)

    def keys(self, ks: Sequence[int], position: int) -> list[ListingKey]:
        listings = [self.spans.get(k, {}) for k in set(ks)]
        return sorted(
            {
                key
                for listing in listings
                for key, spans in listing.items()
                if any(start <= position < end for start, end in spans)
            }
        )


@dataclass(frozen=True)
class Run:
    """A series of changes: from one key in equal steps, at the same position or at rising ones."""

    k: int
    first: int
    stride: int
    length: int
    wait: int
    step: int

    def changes(self, model: Model, position: int) -> Iterator[Change]:
        position += self.wait
        for i in range(self.length):
            yield model.toggle(
                self.k, KEYS[(self.first + i * self.stride) % len(KEYS)], position + i * self.step
            )


@dataclass(frozen=True)
class Query:
    ks: list[int]
    position: int
    after: ListingKey | None
    before: ListingKey | None
    limit: int
    newest_first: bool

    def expected(self, model: Model) -> list[ListingKey]:
        keys = model.keys(self.ks, self.position)
        low, high = (self.before, self.after) if self.newest_first else (self.after, self.before)
        keys = [key for key in keys if (low is None or low < key) and (high is None or key < high)]
        return (keys[::-1] if self.newest_first else keys)[: self.limit]

    def answer(self, db: sqlite3.Connection) -> list[ListingKey]:
        return list_keys(
            db, self.ks, self.position,
            after=self.after, before=self.before, limit=self.limit, newest_first=self.newest_first,
        )  # fmt: skip


LIMITS = st.sampled_from([PageLimits(4), PageLimits(8), PageLimits(16)])
RUNS = st.lists(
    st.builds(
        Run,
        k=st.sampled_from([0, 0, 0, *LISTINGS]),
        first=st.integers(0, len(KEYS) - 1),
        stride=st.sampled_from([1, -1, 0, 3, 51]),
        length=st.sampled_from([1, 2, 7, 30, 100, len(KEYS)]),
        wait=st.integers(0, 2),
        step=st.integers(0, 1),
    ),
    min_size=1,
    max_size=10,
)
CURSORS = st.none() | st.builds(ListingKey, st.integers(-33, 33), st.integers(1, 10))
QUERIES = st.lists(
    st.builds(
        Query,
        ks=st.lists(st.sampled_from(LISTINGS), max_size=15),
        position=st.integers(0, 10_000),
        after=CURSORS,
        before=CURSORS,
        limit=st.integers(0, 30),
        newest_first=st.booleans(),
    ),
    min_size=1,
    max_size=40,
)


def changes_of(runs: Sequence[Run]) -> tuple[list[Change], Model]:
    model = Model()
    changes: list[Change] = []
    for run in runs:
        changes.extend(run.changes(model, changes[-1].position if changes else 1))
    return changes, model


@contextmanager
def written(changes: Sequence[Change], limits: PageLimits) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.executescript(SCHEMA)
        write(db, changes, limits)
        yield db


def write(db: sqlite3.Connection, changes: Sequence[Change], limits: PageLimits) -> None:
    memberships = Memberships(db, limits)
    for change in changes:
        change.apply(memberships)
    memberships.flush()


UNUSED_PAGES_AND_ROWS = """
    WITH branch (page, from_pos, to_pos) AS (SELECT page, from_pos, to_pos FROM page_directory),
    leaf (page, from_pos, to_pos) AS (
        SELECT child, max(r.from_pos, b.from_pos), min(r.to_pos, b.to_pos)
        FROM branch AS b JOIN page_row AS r USING (page)
    ),
    life (page, from_pos, to_pos) AS (
        SELECT page, min(from_pos), max(to_pos) FROM (SELECT * FROM branch UNION ALL SELECT * FROM leaf)
        GROUP BY page
    )
    SELECT page, from_pos, to_pos FROM branch WHERE from_pos >= to_pos
    UNION ALL SELECT page, from_pos, to_pos FROM leaf WHERE from_pos >= to_pos
    UNION ALL SELECT page, r.from_pos, r.to_pos FROM page_row AS r LEFT JOIN life USING (page)
    WHERE life.page IS NULL OR max(r.from_pos, life.from_pos) >= min(r.to_pos, life.to_pos)
"""
"""Pages that are never in use, and rows that are only valid while their page is not in use."""


def sampled_positions(changes: Sequence[Change]) -> list[int]:
    """Return all positions or a few dozen of them, with position 0, the last one and the next one."""
    positions = sorted({change.position for change in changes})
    return [0, *positions[:: len(positions) // 40 + 1], positions[-1], positions[-1] + 1]


@settings(max_examples=60, deadline=None)
@given(runs=RUNS, limits=LIMITS)
def test_at_every_position_each_listing_equals_the_model(runs: list[Run], limits: PageLimits) -> None:
    changes, model = changes_of(runs)
    with written(changes, limits) as db:
        for position in sampled_positions(changes):
            for k in {99, *(change.k for change in changes)}:
                keys = model.keys([k], position)
                assert list_keys(db, [k], position, limit=len(KEYS) + 1) == keys[::-1]
                assert list_keys(db, [k], position, limit=len(KEYS) + 1, newest_first=False) == keys
                assert count(db, k, position) == len(keys)
                assert sorted(members(db, k, position)) == sorted(key.post for key in keys)
                assert newest(db, k, position) == (keys[-1].published_at if keys else None)


@settings(max_examples=150, deadline=None)
@given(runs=RUNS, queries=QUERIES, limits=LIMITS)
def test_any_page_of_any_combined_listings_equals_the_model(
    runs: list[Run], queries: list[Query], limits: PageLimits
) -> None:
    changes, model = changes_of(runs)
    with written(changes, limits) as db:
        for query in queries:
            query = replace(query, position=query.position % (changes[-1].position + 2))
            assert query.answer(db) == query.expected(model), query


@settings(max_examples=60, deadline=None)
@given(runs=RUNS, limits=LIMITS)
def test_the_pages_in_use_partition_all_keys_and_none_is_overfull(
    runs: list[Run], limits: PageLimits
) -> None:
    changes, model = changes_of(runs)
    with written(changes, limits) as db:
        assert not db.execute(UNUSED_PAGES_AND_ROWS).fetchall()
        for position in sampled_positions(changes)[1:]:
            now = position >= changes[-1].position
            for k in {change.k for change in changes if change.position <= position}:
                assert memberships(db, k, position, limits if now else None) == model.keys([k], position)


def memberships(db: sqlite3.Connection, k: int, position: int, limits: PageLimits | None) -> list[ListingKey]:
    """Return the keys of a listing from its pages; fail unless each level partitions the range above it."""
    all_keys = []
    end = ListingKey(OPEN, OPEN)
    for branch, first, last in partitioned(
        db, "page_directory", "k", k, position, ListingKey(LOWEST, LOWEST), end
    ):
        for leaf, low, high in partitioned(db, "page_row", "page", branch, position, first, last):
            rows = db.execute("SELECT * FROM page_row WHERE page = ? ORDER BY published_at, post", (leaf,))
            keys = [ListingKey(row[1], row[2]) for row in rows if row[3] <= position < row[4]]
            assert all(low <= key < high for key in keys)
            all_keys += keys
            if limits is not None:
                for page in (leaf, branch):
                    (rows_in_page,) = db.execute(
                        "SELECT count(*) FROM page_row WHERE page = ?", (page,)
                    ).fetchone()
                    assert rows_in_page <= limits.rows
    assert all_keys == sorted(set(all_keys))
    return all_keys


def partitioned(
    db: sqlite3.Connection,
    table: str,
    owner: str,
    of: int,
    position: int,
    first: ListingKey,
    last: ListingKey,
) -> list[tuple[int, ListingKey, ListingKey]]:
    """Return the pages in use with their key ranges; fail unless the ranges begin at `first` and have no gaps."""
    child = "page" if table == "page_directory" else "child"
    rows = db.execute(
        f"SELECT published_at, post, {child} FROM {table} WHERE {owner} = ? AND from_pos <= ? AND to_pos > ?"
        " ORDER BY published_at, post",
        (of, position, position),
    ).fetchall()
    lows = [ListingKey(published_at, post) for published_at, post, _ in rows]
    assert lows[0] == first
    assert all(low < high for low, high in pairwise([*lows, last]))
    return [(row[2], low, high) for row, (low, high) in zip(rows, pairwise([*lows, last]), strict=True)]


@settings(max_examples=40, deadline=None)
@given(runs=RUNS, limits=LIMITS, data=st.data())
def test_the_rows_do_not_depend_on_transactions_or_connections(
    runs: list[Run], limits: PageLimits, data: st.DataObject
) -> None:
    changes, _ = changes_of(runs)
    cuts = data.draw(st.sets(st.integers(0, len(changes)), max_size=8))
    bounds = sorted({0, len(changes), *cuts})
    with written(changes, limits) as db, tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "views.db")
        with closing(sqlite3.connect(path)) as other:
            other.executescript(SCHEMA)
        for start, end in pairwise(bounds):
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                write(other, changes[start:end], limits)
                if data.draw(st.booleans()):  # a crash, then the same write again
                    other.execute("ROLLBACK")
                    other.execute("BEGIN IMMEDIATE")
                    write(other, changes[start:end], limits)
                other.execute("COMMIT")
        with closing(sqlite3.connect(path)) as other:
            assert list(other.iterdump()) == list(db.iterdump())


@settings(max_examples=100, deadline=None)
@given(
    runs=RUNS, limits=LIMITS, k=st.sampled_from(LISTINGS), key=st.sampled_from(KEYS), late=st.integers(-3, 1)
)
def test_contradictory_changes_are_rejected_and_write_nothing(
    runs: list[Run], limits: PageLimits, k: int, key: ListingKey, late: int
) -> None:
    changes, model = changes_of(runs)
    touched = max((change.position for change in changes if change.k == k), default=0)
    position = touched + late
    wrong = Change(position, k, key, opens=key in model.keys([k], OPEN - 1))
    with written(changes, limits) as db:
        before = list(db.iterdump())
        with pytest.raises(MembershipRefused, match=f"^listing {k}, .* position {position}:"):
            write(db, [wrong], limits)
        if 0 < position < touched:
            with pytest.raises(MembershipRefused, match=f"last changed at {touched}"):
                write(db, [Change(position, k, key, opens=not wrong.opens)], limits)
        assert list(db.iterdump()) == before
