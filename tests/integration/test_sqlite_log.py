"""The SQLite log and its file: other files, damage, several processes, a full disk and group commit."""

import asyncio
import os
import shutil
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ledgerpress.adapters.sqlite_log import event_reads_and_group_append, short_reads
from ledgerpress.adapters.sqlite_log.backup import copy_log_file
from ledgerpress.adapters.sqlite_log.event_log import SqliteEventLog
from ledgerpress.adapters.sqlite_log.log_file import APPLICATION_ID
from ledgerpress.eventlog import group_commit
from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import EventLogError, LogUnavailable, LogUnusable, WrongExpectedVersion
from ledgerpress.eventlog.log import ANY_VERSION, NO_STREAM, StreamWrite, check_gapless
from tests.contract.sample_events import PUBLICATION, sample_event, sample_write

APPENDER = Path(__file__).with_name("log_appender_program.py")


async def open_log(path: Path) -> SqliteEventLog:
    return await SqliteEventLog.open(path, create_as=lambda: PUBLICATION)


async def everything(log: SqliteEventLog) -> list[StoredEvent]:
    events: list[StoredEvent] = []
    while batch := await log.read(len(events), 1_000):
        events += batch
    check_gapless(events, 0)
    return events


async def append_together(log: SqliteEventLog, *commands: Sequence[StreamWrite]) -> list[int | BaseException]:
    """Append `commands` in one group, and return the results."""
    return await asyncio.gather(*(log.append(writes) for writes in commands), return_exceptions=True)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
async def log(path: Path) -> AsyncIterator[SqliteEventLog]:
    log = await open_log(path)
    yield log
    await log.aclose()


# --- files that are not logs -----------------------------------------------------------------------


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE recipe (name TEXT)")


def foreign_in_use(path: Path) -> None:
    """Create the database of another application, left behind with a write-ahead log."""
    source = path.with_name("made.db")
    with closing(sqlite3.connect(source)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE recipe (name TEXT)")
        db.commit()
        for end in ("", "-wal"):
            shutil.copy(f"{source}{end}", f"{path}{end}")


def marked(path: Path, format_version: int) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {format_version}")
        db.execute("CREATE TABLE something (else_ TEXT)")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda path: path.write_text("Dear diary"), "is not an SQLite database", id="text"),
        pytest.param(
            lambda path: path.write_bytes(os.urandom(9_000)), "is not an SQLite database", id="random bytes"
        ),
        pytest.param(foreign, "is a database of another application", id="foreign"),
        pytest.param(foreign_in_use, "is a database of another application", id="foreign and in use"),
        pytest.param(
            lambda path: marked(path, 2),
            "was written by a newer LedgerPress (format 2); this one reads format 1: upgrade",
            id="newer",
        ),
        pytest.param(lambda path: marked(path, 0), "has the unknown format 0", id="format 0"),
        pytest.param(lambda path: marked(path, 1), "cannot be used as a log", id="without tables"),
        pytest.param(lambda path: path.mkdir(), "is not a file", id="folder"),
    ],
)
@pytest.mark.parametrize("create", [True, False])
async def test_a_file_that_is_not_a_log_is_rejected_and_left_unchanged(
    path: Path, make: Callable[[Path], object], message: str, create: bool
) -> None:
    make(path)
    before = contents(path.parent)
    with pytest.raises(LogUnusable) as rejection:
        await SqliteEventLog.open(path, create_as=(lambda: PUBLICATION) if create else None)
    assert message in str(rejection.value)
    assert str(path) in str(rejection.value)
    assert contents(path.parent) == before


@pytest.fixture
def empty(path: Path) -> Path:
    path.touch()
    return path


async def test_a_missing_log_is_created_only_on_request(path: Path) -> None:
    with pytest.raises(LogUnusable, match="there is no log at"):
        await SqliteEventLog.open(path, create_as=None)
    assert contents(path.parent) == {}


async def test_an_empty_file_is_not_a_log(empty: Path) -> None:
    with pytest.raises(LogUnusable, match="there is no log at"):
        await SqliteEventLog.open(empty, create_as=None)
    assert contents(empty.parent) == {empty.name: b""}


async def test_an_empty_file_becomes_a_log(empty: Path) -> None:
    log = await open_log(empty)
    assert await log.append([sample_write("post.a", NO_STREAM)]) == 1
    await log.aclose()


async def test_a_path_that_cannot_hold_a_log_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (
        tmp_path / "missing" / "log.db",
        tmp_path / "file" / "log.db",
        Path("/proc/ledgerpress.db"),
    ):
        with pytest.raises(LogUnusable, match="cannot be"):
            await open_log(path)


def protect(path: Path) -> None:
    """Make the file readable for all users, and writable for none."""
    path.chmod(0o444)
    path.parent.chmod(0o755)


@contextmanager
def without_root() -> Iterator[None]:
    """Drop root's right to write any file."""
    me = os.geteuid()
    os.seteuid(65534 if me == 0 else me)
    try:
        yield
    finally:
        os.seteuid(me)


async def test_a_read_only_file_is_rejected() -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "log.sqlite"
        await (await open_log(path)).aclose()
        protect(path)
        with without_root(), pytest.raises(LogUnusable, match="cannot be written"):
            await open_log(path)


def damage(path: Path) -> None:
    """Overwrite all pages except the first eight and the last."""
    content = bytearray(path.read_bytes())
    content[8 * 4096 : -4096] = b"\xff" * (len(content) - 9 * 4096)
    path.write_bytes(content)


async def test_reading_or_copying_a_damaged_log_fails(path: Path) -> None:
    log = await open_log(path)
    for number in range(50):
        await log.append([StreamWrite("post.a", number, (sample_event(plaintext=b"x" * 3_000),))])
    await log.aclose()
    damage(path)
    log = await open_log(path)
    with pytest.raises(LogUnavailable, match="could not be read"):
        await everything(log)
    await log.aclose()
    with pytest.raises(LogUnusable, match=r"damaged|malformed"):
        await copy_log_file(path, path.with_name("backup.db"))
    assert list(contents(path.parent)) == ["log.db"]


async def test_closing_leaves_one_file(path: Path) -> None:
    log = await open_log(path)
    await log.append([sample_write("post.a", NO_STREAM)])
    await log.aclose()
    assert list(contents(path.parent)) == ["log.db"]


# --- many processes, a full disk, groups ----------------------------------------------------------


async def appender(path: Path, name: str, appends: int) -> tuple[list[int], float]:
    """Run a process that appends. Return the positions of its appends, and the seconds of the slowest append."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(APPENDER), str(path), name, str(appends), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    *positions, (_, slowest) = [line.split() for line in output.decode().splitlines()]
    return [int(position) for (position,) in positions], float(slowest)


async def test_several_processes_append_to_one_log(path: Path) -> None:
    names = ["a", "b", "c", "d"]
    results = dict(
        zip(names, await asyncio.gather(*(appender(path, name, 150) for name in names)), strict=True)
    )
    log = await SqliteEventLog.open(path, create_as=None)
    events = await everything(log)
    assert len(events) == 2 * 4 * 150
    assert log.publication in {uuid8("publication", name) for name in names}
    for name, (positions, slowest) in results.items():
        own = [event.header for event in events if event.header.stream == f"post.{name}"]
        assert [header.stream_version for header in own] == list(range(1, 151))
        assert [header.position + 1 for header in own] == positions
        assert slowest < 10
    shared = [event.header.stream_version for event in events if event.header.stream == "journal"]
    assert shared == list(range(1, 601))
    await log.aclose()


async def test_appends_of_another_process_wake_waiting_readers(log: SqliteEventLog, path: Path) -> None:
    running = asyncio.ensure_future(appender(path, "a", 5))
    position = 0
    while position < 10:
        assert await log.wait_beyond(position, 20)
        position = (await log.read(position, 100))[-1].position
    assert (await running)[0][-1] == 10


async def test_a_probe_of_writes_keeps_the_format_that_a_newer_program_has_recorded(
    log: SqliteEventLog, path: Path
) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 2")
        await log.check_writable()
        assert db.execute("PRAGMA user_version").fetchone() == (2,)


async def test_a_full_disk_fails_only_the_appends_of_one_group(log: SqliteEventLog) -> None:
    await log.append([sample_write("post.a", NO_STREAM)])
    pages: int = await log._writer.run(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
    await log._writer.run(lambda db: db.execute(f"PRAGMA max_page_count = {pages + 30}").fetchall())
    large = sample_event(plaintext=b"x" * 200_000)
    outcomes = await append_together(
        log,
        [sample_write("post.b", NO_STREAM)],
        [StreamWrite("post.c", NO_STREAM, (large,))],
        [sample_write("post.d", NO_STREAM)],
    )
    for outcome in outcomes:
        assert type(outcome) is LogUnavailable
        assert "full" in str(outcome)
    assert await log.head() == 1
    with pytest.raises(LogUnavailable, match="full"):
        await log.append([StreamWrite("post.c", NO_STREAM, (large,))])
    assert await log.append([sample_write("post.d", NO_STREAM)]) == 2
    await log._writer.run(lambda db: db.execute("PRAGMA max_page_count = 1000000").fetchall())
    assert await log.append([StreamWrite("post.c", NO_STREAM, (large,))]) == 3
    await everything(log)


async def test_a_group_that_cannot_be_committed_is_not_recorded(log: SqliteEventLog) -> None:
    await log.append([sample_write("post.a", NO_STREAM)])

    def deny_commit(action: int, name: str | None, *_: object) -> int:
        is_commit = action == sqlite3.SQLITE_TRANSACTION and name == "COMMIT"
        return sqlite3.SQLITE_DENY if is_commit else sqlite3.SQLITE_OK

    await log._writer.run(lambda db: db.set_authorizer(deny_commit))
    failed = await append_together(log, *([sample_write(f"post.b{n}", NO_STREAM)] for n in range(5)))
    assert {type(outcome) for outcome in failed} == {EventLogError}
    await log._writer.run(lambda db: db.set_authorizer(None))
    assert await log.append([sample_write("post.a", 1)]) == 2


async def test_another_writer_delays_appends_but_not_reads(log: SqliteEventLog, path: Path) -> None:
    await log.append([sample_write("post.a", NO_STREAM)])
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        append = asyncio.ensure_future(log.append([sample_write("post.a", 1)]))
        assert not await log.wait_beyond(1, 0.1)
        assert [event.position for event in await log.read(0, 10)] == [1]
        assert not append.done()
        db.execute("ROLLBACK")
    assert await append == 2


async def test_a_group_is_limited_in_commands_and_bytes(
    log: SqliteEventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "MAX_COMMANDS", 10)
    monkeypatch.setattr(group_commit, "MAX_BYTES", 2_500)
    groups: list[int] = []

    def count(db: sqlite3.Connection, commands: list[object]) -> list[int]:
        groups.append(len(commands))
        return list(range(len(commands)))

    monkeypatch.setattr(event_reads_and_group_append, "append_group", count)
    small = [sample_write(f"post.a{n}", NO_STREAM) for n in range(25)]
    large = [
        StreamWrite(f"post.b{n}", NO_STREAM, (sample_event(plaintext=b"x" * size),))
        for n, size in enumerate([1_000, 1_000, 1_000, 9_000, 1_000])
    ]
    await append_together(log, *([write] for write in small + large))
    assert groups == [10, 10, 7, 1, 1, 1]


async def test_a_group_takes_the_versions_that_another_process_has_recorded(
    log: SqliteEventLog, path: Path
) -> None:
    await log.append([sample_write("post.a", NO_STREAM)])
    other = await open_log(path)
    await other.append([sample_write("post.a", 1)])
    outcomes = await append_together(
        log,
        [sample_write("post.b", NO_STREAM)],
        [sample_write("post.a", 1)],
        [sample_write("post.a", 2), sample_write("post.c", NO_STREAM)],
        [sample_write("post.g", 1), StreamWrite("post.a", 1, ())],
        [StreamWrite("post.b", 1, ()), sample_write("post.d", NO_STREAM)],
        [sample_write("post.g", NO_STREAM)],
        [StreamWrite("post.a", 2, ()), sample_write("post.e", NO_STREAM)],
        [StreamWrite("post.f", ANY_VERSION, (sample_event(),)), sample_write("post.c", 1)],
    )
    rejected = [outcome for outcome in outcomes if isinstance(outcome, WrongExpectedVersion)]
    assert [outcome for outcome in outcomes if isinstance(outcome, int)] == [3, 5, 6, 7, 9]
    assert [str(error) for error in rejected] == [
        str(WrongExpectedVersion(stream="post.a", expected=1, actual=2)),
        str(WrongExpectedVersion(stream="post.g", expected=1, actual=0)),
        str(WrongExpectedVersion(stream="post.a", expected=2, actual=3)),
    ]
    assert [event.position for event in await other.read_stream("post.a")] == [1, 2, 4]
    assert [event.header.stream for event in await everything(log)] == [
        "post.a", "post.a", "post.b", "post.a", "post.c", "post.d", "post.g", "post.f", "post.c",
    ]  # fmt: skip
    await other.aclose()


async def test_a_rejected_command_does_not_affect_what_others_of_its_group_expect(
    log: SqliteEventLog,
) -> None:
    await log.append([sample_write("post.a", NO_STREAM)])
    outcomes = await append_together(
        log,
        [sample_write("post.b", 7), StreamWrite("post.a", 9, ())],
        [sample_write("post.b", NO_STREAM)],
    )
    assert str(outcomes[0]) == str(WrongExpectedVersion(stream="post.a", expected=9, actual=1))
    assert outcomes[1] == 2


async def test_cancelled_appends_do_not_stop_the_log(log: SqliteEventLog) -> None:
    recorded = 0
    for number in range(30):
        append = asyncio.ensure_future(log.append([sample_write("post.a", recorded)]))
        await asyncio.sleep(number * 0.000_05)
        append.cancel()
        await asyncio.wait([append])
        await log.append([sample_write("taxonomy", number)])
        recorded = len(await log.read_stream("post.a"))
        if not append.cancelled():
            assert recorded > 0
    with pytest.raises(WrongExpectedVersion):
        await log.append([sample_write("post.a", recorded + 1)])
    assert len(await everything(log)) == 30 + recorded


# --- reads of streams ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param([10] * (short_reads.MAX_EVENTS - 1), id="one event less than are short"),
        pytest.param([10] * short_reads.MAX_EVENTS, id="as many events as are short"),
        pytest.param([10] * (short_reads.MAX_EVENTS + 1), id="one event more"),
        pytest.param([10] * (2 * short_reads.MAX_EVENTS + 3), id="many events"),
        pytest.param([10, 700_000, 10], id="a large event"),
        pytest.param([short_reads.MAX_BYTES, 10], id="an event that is as large as a short read"),
        pytest.param([short_reads.MAX_BYTES - 1, 10, 10], id="an event that is one byte smaller"),
    ],
)
async def test_a_stream_is_read_completely(log: SqliteEventLog, sizes: list[int]) -> None:
    events = tuple(sample_event(plaintext=bytes(size)) for size in sizes)
    await log.append([StreamWrite("post.a", NO_STREAM, events)])
    stored = await everything(log)
    for after in {0, 1, len(sizes) - 1, len(sizes)}:
        assert await log.read_stream("post.a", after) == stored[after:]
    assert await log.read_stream("post.b") == []


async def test_the_reader_reads_what_cannot_be_read_on_the_thread_of_the_event_loop(
    log: SqliteEventLog,
) -> None:
    await log.append([sample_write("post.a", NO_STREAM)])
    stored = await log.read_stream("post.a")
    log._short_reads._db.set_authorizer(lambda *_: sqlite3.SQLITE_DENY)
    assert await log.head() == 1
    assert await log.read_stream("post.a") == stored
    await log._reader.run(lambda db: db.set_authorizer(lambda *_: sqlite3.SQLITE_DENY))
    with pytest.raises(EventLogError, match="could not be read"):
        await log.read_stream("post.a")
    with pytest.raises(EventLogError, match="could not be read"):
        await log.head()


async def test_short_reads_find_the_events_of_other_processes_and_of_this_one(
    log: SqliteEventLog, path: Path
) -> None:
    other = await open_log(path)
    for version in range(0, 20, 2):
        await log.append([sample_write("post.a", version)])
        assert (await other.head(), len(await other.read_stream("post.a"))) == (version + 1, version + 1)
        await other.append([sample_write("post.a", version + 1)])
        assert (await log.head(), len(await log.read_stream("post.a"))) == (version + 2, version + 2)
    await other.aclose()
