"""Views that are built in large batches, with indexes last, equal views that are built event by event."""

import gc
import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from ledgerpress.adapters.sqlite_log.event_log import SqliteEventLog
from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.features.registry import all_projectors, event_codec
from ledgerpress.views.files.build import ViewsBuild
from ledgerpress.views.files.tables import create_indexes, create_tables
from ledgerpress.views.projection.projector_interface_and_composition import (
    ROWS_AT_ONCE,
    Projector,
    events_of,
    write_all,
)
from scripts.workloads.generated_log import PUBLICATION, GeneratedLog
from tests.apply_projector import apply_all
from tests.property.view_rows import Rows, rebuilt, rows_in
from tests.written_log import write_copy

EVENTS = 3_000


@pytest.fixture(scope="module")
def events() -> list[Recorded[Event]]:
    return event_codec().decode_all(
        [event for batch in GeneratedLog().batches(EVENTS, 500) for event in batch]
    )


def rows_after(projectors: Sequence[Projector], events: list[Recorded[Event]], batch: int) -> Rows:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        create_tables(db, projectors)
        for start in range(0, len(events), batch):
            for projector in projectors:
                apply_all(projector, events[start : start + batch], db)
        return rows_in(db)


def test_a_generated_log_is_the_same_each_time() -> None:
    once, again = (
        [event for batch in GeneratedLog().batches(300, size) for event in batch] for size in (7, 300)
    )
    assert once == again
    assert [event.position for event in once] == list(range(1, 301))


@pytest.mark.parametrize("projector", all_projectors(), ids=lambda projector: projector.name)
def test_rows_do_not_depend_on_the_batch_size(events: list[Recorded[Event]], projector: Projector) -> None:
    one_by_one = rows_after([projector], events, 1)
    assert any(one_by_one.values())
    for batch in (2, 97, 1_000, EVENTS):
        assert rows_after([projector], events, batch) == one_by_one


@pytest.mark.parametrize("projector", all_projectors(), ids=lambda projector: projector.name)
def test_events_of_types_that_a_projector_does_not_declare_change_no_rows(
    events: list[Recorded[Event]], projector: Projector
) -> None:
    declared = events_of(projector)
    applied = [event for event in events if declared is None or type(event.event) in declared]
    assert rows_after([projector], applied, 97) == rows_after([projector], events, 97)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO t VALUES (?, ?, NULL)",
        "INSERT INTO t VALUES (?, ?, 7)",
        "INSERT OR REPLACE INTO t (k, n) VALUES (?, ?)",
        "INSERT INTO t (k, n) VALUES (?, ?) ON CONFLICT (k) DO UPDATE SET n = excluded.n",
        "UPDATE t SET n = ?2 WHERE k = ?1",
    ],
)
@pytest.mark.parametrize("rows", [0, 1, ROWS_AT_ONCE - 1, ROWS_AT_ONCE, 3 * ROWS_AT_ONCE + 5])
def test_rows_written_at_once_equal_rows_written_one_by_one(statement: str, rows: int) -> None:
    repeated = [] if "VALUES (?, ?, " in statement else [(0, "again")] * (rows > 0)
    values = [(number, str(number)) for number in range(rows)] + repeated
    written = []
    for write in (write_all, sqlite3.Connection.executemany):
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
            db.execute("CREATE TABLE t (k INTEGER PRIMARY KEY, n TEXT, other INTEGER) STRICT")
            write(db, statement, values)
            written.append(db.execute("SELECT * FROM t ORDER BY k").fetchall())
    assert written[0] == written[1]


def test_a_row_that_cannot_be_written_leaves_the_error_to_the_caller() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.execute("CREATE TABLE t (k INTEGER PRIMARY KEY)")
        db.execute("SAVEPOINT batch")
        with pytest.raises(sqlite3.IntegrityError):
            write_all(db, "INSERT INTO t VALUES (?)", [(number % 100,) for number in range(200)])
        db.execute("ROLLBACK TO batch")
        assert db.execute("SELECT count(*) FROM t").fetchone() == (0,)


async def test_a_build_leaves_garbage_collection_as_it_was(tmp_path: Path) -> None:
    await write_copy(tmp_path / "log", PUBLICATION, GeneratedLog().batches(100, 100))
    log = await SqliteEventLog.open(tmp_path / "log", create_as=None)
    build = ViewsBuild.open(tmp_path / "views", all_projectors(), began_at=0)
    try:
        await build.follow(log, event_codec(), 100)
    finally:
        build.close()
        await log.aclose()
    assert gc.isenabled()


async def test_indexes_created_last_equal_those_created_first(tmp_path: Path) -> None:
    projectors = all_projectors()
    with closing(sqlite3.connect(":memory:")) as first, closing(sqlite3.connect(":memory:")) as last:
        create_tables(first, projectors)
        create_tables(last, projectors, indexes=False)
        before = indexes_of(last)
        create_indexes(last, projectors)
        assert indexes_of(last) == indexes_of(first)
        assert before < indexes_of(first)
        for projector in projectors:
            assert "CREATE TABLE" not in projector.indexes


def indexes_of(db: sqlite3.Connection) -> set[tuple[str, str]]:
    return set(db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"))


@pytest.mark.parametrize("projector", all_projectors(), ids=lambda projector: projector.name)
def test_writing_uses_no_index_that_is_created_last(
    events: list[Recorded[Event]], projector: Projector
) -> None:
    """Every index that a projector names or that SQLite chooses for its statements exists before the rows."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        create_tables(db, [projector])
        statements = statements_of(db, projector, events[:500])
        late_indexes = set(re.findall(r"CREATE (?:UNIQUE )?INDEX (\w+)", projector.indexes))
        plans = [db.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall() for statement in statements]
    used = {word for plan in plans for step in plan for word in step[3].split()}
    assert not late_indexes & used


def statements_of(db: sqlite3.Connection, projector: Projector, events: list[Recorded[Event]]) -> set[str]:
    statements: set[str] = set()
    db.set_trace_callback(statements.add)
    apply_all(projector, events, db)
    db.set_trace_callback(None)
    return {statement for statement in statements if not statement.startswith("--")}


async def test_a_log_written_as_a_copy_is_rebuilt_from_its_file(
    events: list[Recorded[Event]], tmp_path: Path
) -> None:
    path = tmp_path / "log.sqlite"
    assert await write_copy(path, PUBLICATION, GeneratedLog().batches(EVENTS, 1_000)) == EVENTS
    log = await SqliteEventLog.open(path, create_as=None)
    try:
        rows = await rebuilt(log, tmp_path / "views.sqlite", batch_size=1_000)
    finally:
        await log.aclose()
    without = {"projection"}
    expected = rows_after(all_projectors(), events, EVENTS)
    assert {name: rows[name] for name in rows.keys() - without} == {
        name: expected[name] for name in expected.keys() - without
    }
