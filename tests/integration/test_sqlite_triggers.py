"""The database itself rejects changes to recorded events, from any program and by any statement."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from ledgerpress.adapters.sqlite_log.event_log import SqliteEventLog
from ledgerpress.adapters.sqlite_log.event_reads_and_group_append import COLUMNS as COLUMN_LIST
from ledgerpress.eventlog.log import NO_STREAM, StreamWrite
from tests.contract.sample_events import PUBLICATION, sample_event, sample_write

COLUMNS = COLUMN_LIST.split(", ")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
async def log(path: Path) -> AsyncIterator[SqliteEventLog]:
    log = await SqliteEventLog.open(path, create_as=lambda: PUBLICATION)
    yield log
    await log.aclose()


@pytest.fixture
async def database(path: Path) -> AsyncIterator[sqlite3.Connection]:
    """A log of three events, the second in `post.a`, opened without LedgerPress."""
    log = await SqliteEventLog.open(path, create_as=lambda: PUBLICATION)
    await log.append([sample_write("taxonomy", NO_STREAM), sample_write("post.a", NO_STREAM, events=2)])
    await log.aclose()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        before = list(db.iterdump())
        yield db
        if db.in_transaction:
            db.execute("ROLLBACK")
        assert list(db.iterdump()) == before


def insert(changes: dict[str, object], verb: str = "INSERT", rest: str = "") -> tuple[str, list[object]]:
    """Return a statement that records event 4, as version 3 of `post.a`, with `changes`."""
    event = sample_event()
    values = {
        **dict.fromkeys(COLUMNS),
        "position": 4,
        "v": 1,
        "event_id": event.event_id,
        "stream": "post.a",
        "stream_version": 3,
        "type": "post.edited",
        "schema_version": 1,
        "recorded_at": 0,
        "actor_id": event.actor_id,
        "command_id": event.command_id,
        "correlation_id": event.command_id,
        "payload_commitment": bytes(32),
        "encoding": "json",
        "payload": b"{}",
        "salt": bytes(32),
        **changes,
    }
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    return f"{verb} INTO event ({names}) VALUES ({marks}) {rest}", list(values.values())


async def test_the_next_event_may_be_inserted(database: sqlite3.Connection) -> None:
    database.execute("BEGIN")
    database.execute(*insert({}))


@pytest.mark.parametrize(
    "verb", ["INSERT", "REPLACE", "INSERT OR REPLACE", "INSERT OR IGNORE", "INSERT OR FAIL"]
)
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"position": 2}, id="a position that is taken"),
        pytest.param({"position": 5}, id="a gap"),
        pytest.param({"position": None}, id="no position"),
        pytest.param({"position": -1}, id="a negative position"),
        pytest.param({"stream_version": 2}, id="a version that is taken"),
        pytest.param({"stream_version": 4}, id="a gap in the stream"),
        pytest.param({"stream": "post.new"}, id="a new stream that does not begin with 1"),
        pytest.param({"event_id": "first"}, id="an event that is recorded already"),
        pytest.param(
            {"position": 2, "stream_version": 1, "event_id": "second"}, id="another event in its place"
        ),
    ],
)
async def test_only_the_next_event_can_be_inserted(
    database: sqlite3.Connection, verb: str, changes: dict[str, object]
) -> None:
    ids = [event_id for (event_id,) in database.execute("SELECT event_id FROM event ORDER BY position")]
    ids_by_name = {"first": ids[0], "second": ids[1]}
    if (name := changes.get("event_id")) in ("first", "second"):
        changes = {**changes, "event_id": ids_by_name[str(name)]}
    with pytest.raises(sqlite3.IntegrityError):
        database.execute(*insert(changes, verb))


@pytest.mark.parametrize("target", ["", "(position)", "(event_id)", "(stream, stream_version)"])
async def test_an_upsert_changes_nothing(database: sqlite3.Connection, target: str) -> None:
    (event_id,) = database.execute("SELECT event_id FROM event WHERE position = 2").fetchone()
    changes = {"position": 2, "stream_version": 1, "event_id": event_id}
    for action in ("NOTHING", "UPDATE SET payload = x'00'"):
        with pytest.raises(sqlite3.IntegrityError):
            database.execute(*insert(changes, rest=f"ON CONFLICT {target} DO {action}"))


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 2},
        {"event_id": "short"},
        {"schema_version": 0},
        {"recorded_at": -1},
        {"recorded_at": "yesterday"},
        {"payload_commitment": b"short"},
        {"salt": b"short"},
        {"salt": None},
        {"payload": None},
        {"payload": "text"},
        {"encoding": None},
        {"actor_id": None},
    ],
    ids=str,
)
async def test_an_incomplete_or_malformed_row_is_rejected(
    database: sqlite3.Connection, changes: dict[str, object]
) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        database.execute(*insert(changes))


@pytest.mark.parametrize("statement", ["DELETE FROM event", "DELETE FROM event WHERE position = 3"])
async def test_no_event_can_be_deleted(database: sqlite3.Connection, statement: str) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="never deleted"):
        database.execute(statement)


@pytest.mark.parametrize("verb", ["UPDATE", "UPDATE OR REPLACE", "UPDATE OR IGNORE"])
@pytest.mark.parametrize("column", COLUMNS)
async def test_no_column_can_be_changed(database: sqlite3.Connection, verb: str, column: str) -> None:
    value = {
        "payload": "x'00'",
        "salt": "zeroblob(32)",
        "payload_commitment": "zeroblob(32)",
        "on_behalf_of_actor_id": "actor_id",
        "causation_id": "actor_id",
    }.get(
        column, f"{column} || '1'" if column not in ("position", "v", "stream_version") else f"{column} + 1"
    )
    for where in ("position = 3", "position IN (2, 3)", "true"):
        with pytest.raises(sqlite3.IntegrityError):
            database.execute(f"{verb} event SET {column} = {value} WHERE {where}")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE log_meta SET publication = 'another'",
        "UPDATE log_meta SET id = 2",
        "DELETE FROM log_meta",
        "INSERT OR REPLACE INTO log_meta (id, publication) VALUES (1, '00000000-0000-0000-0000-000000000000')",
        "INSERT INTO log_meta (id, publication) VALUES (2, '00000000-0000-0000-0000-000000000000')",
    ],
)
async def test_the_publication_of_a_log_cannot_be_changed(
    database: sqlite3.Connection, statement: str
) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        database.execute(statement)


# --- withdrawal -----------------------------------------------------------------------------------

WITHDRAW = "UPDATE event SET payload = NULL, salt = NULL WHERE position = 1"


async def record_withdrawal(log: SqliteEventLog, *, event_type: str = "payload.withdrawn") -> None:
    """Record an event for the withdrawal of event 1."""
    (event,) = await log.read(0, 1)
    withdrawn = sample_event(event_type=event_type)
    await log.append([StreamWrite(f"withdrawal.{event.header.event_id}", NO_STREAM, (withdrawn,))])


async def test_a_payload_can_be_erased_only_after_its_withdrawal_is_recorded(
    log: SqliteEventLog, path: Path
) -> None:
    await log.append([sample_write("post.a", NO_STREAM, events=2)])
    (before, _) = await log.read(0, 2)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        with pytest.raises(sqlite3.IntegrityError, match="never changed"):
            db.execute(WITHDRAW)
        await record_withdrawal(log)
        for part in (
            "payload = NULL",
            "salt = NULL",
            "payload = x'', salt = x''",
            "payload = NULL, salt = NULL, type = 'post.created'",
            "payload = NULL, salt = NULL, encoding = 'none'",
        ):
            with pytest.raises(sqlite3.IntegrityError):
                db.execute(f"UPDATE event SET {part} WHERE position = 1")
        with pytest.raises(sqlite3.IntegrityError):
            db.execute("UPDATE event SET payload = NULL, salt = NULL WHERE position = 2")
        db.execute(WITHDRAW)
        db.execute(WITHDRAW)
        with pytest.raises(sqlite3.IntegrityError):
            db.execute("UPDATE event SET payload = x'00', salt = zeroblob(32) WHERE position = 1")
    (after, _, _) = await log.read(0, 10)
    assert after.payload is None
    assert after.header == before.header
    assert after.header.leaf_hash() == before.header.leaf_hash()


async def test_another_event_in_the_withdrawal_stream_does_not_allow_erasure(
    log: SqliteEventLog, path: Path
) -> None:
    await log.append([sample_write("post.a", NO_STREAM)])
    await record_withdrawal(log, event_type="withdrawal.asked")
    with closing(sqlite3.connect(path)) as db, pytest.raises(sqlite3.IntegrityError):
        db.execute(WITHDRAW)
