"""Views that are built in large batches, with indexes last, equal views that are built event by event."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from ledgerpress.adapters.sqlite_log.event_log import SqliteEventLog
from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.features.registry import all_projectors, event_codec
from ledgerpress.views.files.tables import create_indexes, create_tables
from ledgerpress.views.projection.projector_interface_and_composition import Projector
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
        late_indexes = {line.split()[2] for line in projector.indexes.splitlines() if "CREATE INDEX" in line}
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
