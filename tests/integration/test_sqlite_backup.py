"""Backups of a log in use, and restoring them."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ledgerpress.adapters.sqlite_log.backup import copy_log_file
from ledgerpress.adapters.sqlite_log.event_log import SqliteEventLog
from ledgerpress.eventlog.errors import LogUnusable
from ledgerpress.eventlog.log import NO_STREAM, StreamWrite
from ledgerpress.sqlite.atomic_file import unfinished
from tests.contract.sample_events import PUBLICATION, sample_event, sample_write


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE recipe (name TEXT)")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
async def log(path: Path) -> AsyncIterator[SqliteEventLog]:
    log = await SqliteEventLog.open(path, create_as=lambda: PUBLICATION)
    yield log
    await log.aclose()


@pytest.fixture
async def writers(log: SqliteEventLog) -> AsyncIterator[None]:
    """Eight clients that append as fast as they can while the test runs."""

    async def write(name: int) -> None:
        for number in range(1_000_000):
            await log.append([sample_write(f"post.{name}", number)])

    tasks = [asyncio.ensure_future(write(name)) for name in range(8)]
    await log.wait_beyond(300, 30)
    yield
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


@pytest.mark.usefixtures("writers")
async def test_a_backup_during_writes_is_consistent(log: SqliteEventLog, path: Path, tmp_path: Path) -> None:
    target = folder(tmp_path / "copies") / "backup.db"
    steps: list[tuple[int, int]] = []
    before = await log.head()
    head = await copy_log_file(path, target, progress=lambda done, pages: steps.append((done, pages)))
    assert before <= head <= await log.head()
    assert await log.wait_beyond(head, 5)
    assert steps
    assert steps == sorted(steps)
    assert steps[-1][0] == steps[-1][1] > 0
    assert names(target.parent) == ["backup.db"]

    restored_to = folder(tmp_path / "restored") / "log.db"
    assert await copy_log_file(target, restored_to) == head
    assert names(restored_to.parent) == ["log.db"]
    restored = await SqliteEventLog.open(restored_to, create_as=None)
    assert restored.publication == log.publication
    assert await restored.read(0, head + 1) == await log.read(0, head)
    assert await restored.append([sample_write("taxonomy", NO_STREAM)]) == head + 1
    await restored.aclose()


@pytest.fixture
async def copy(log: SqliteEventLog, path: Path, tmp_path: Path) -> Path:
    """A backup of three events."""
    await log.append([sample_write("post.a", NO_STREAM, events=3)])
    copy = tmp_path / "backup.db"
    assert await copy_log_file(path, copy) == 3
    return copy


async def test_a_backup_can_be_read_on_a_read_only_disk(copy: Path) -> None:
    with closing(sqlite3.connect(f"{copy.as_uri()}?mode=ro", uri=True)) as db:
        assert db.execute("SELECT count(*) FROM event").fetchone() == (3,)
        assert names(copy.parent) == ["backup.db", "log.db", "log.db-shm", "log.db-wal"]


async def test_a_backup_of_a_closed_log_leaves_no_other_files(path: Path) -> None:
    log = await SqliteEventLog.open(path, create_as=lambda: PUBLICATION)
    await log.append([sample_write("post.a", NO_STREAM)])
    await log.aclose()
    assert await copy_log_file(path, path.with_name("backup.db")) == 1
    assert names(path.parent) == ["backup.db", "log.db"]


@pytest.mark.parametrize("existing", ["new.db", "new.db-wal", "new.db-journal"])
async def test_a_backup_overwrites_no_file(copy: Path, existing: str) -> None:
    copy.with_name(existing).symlink_to("nowhere")
    before = names(copy.parent)
    with pytest.raises(LogUnusable, match=f"{existing} exists already"):
        await copy_log_file(copy, copy.with_name("new.db"))
    assert names(copy.parent) == before


async def test_only_a_log_is_copied(tmp_path: Path) -> None:
    foreign(tmp_path / "foreign.db")
    (tmp_path / "text.db").write_text("Dear diary")
    (tmp_path / "empty.db").touch()
    before = names(tmp_path)
    for name, message in [
        ("foreign.db", "another application"),
        ("text.db", "not an SQLite database"),
        ("empty.db", "there is no log"),
        ("missing.db", "there is no log"),
    ]:
        with pytest.raises(LogUnusable, match=message):
            await copy_log_file(tmp_path / name, tmp_path / "new.db")
    assert names(tmp_path) == before


def test_sqlite_files_of_an_unfinished_copy_are_deleted_with_it(tmp_path: Path) -> None:
    with unfinished(tmp_path / "new.db") as copy:
        for end in ("-journal", "-wal"):
            copy.with_name(copy.name + end).touch()
        assert len(names(tmp_path)) == 3
    assert not names(tmp_path)


async def test_the_error_names_a_path_in_a_missing_folder(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(LogUnusable, match=r"missing/new\.db cannot be written"):
        await copy_log_file(copy, tmp_path / "missing" / "new.db")


@pytest.fixture
def tampered(copy: Path) -> Iterator[sqlite3.Connection]:
    """The backup, without the triggers that prevent changes."""
    with closing(sqlite3.connect(copy, isolation_level=None)) as db:
        for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        yield db


@pytest.mark.parametrize("position", [1, 2])
async def test_a_backup_with_a_gap_is_not_restored(
    copy: Path, tampered: sqlite3.Connection, position: int, tmp_path: Path
) -> None:
    tampered.execute("DELETE FROM event WHERE position = ?", (position,))
    with pytest.raises(LogUnusable, match="has a gap"):
        await copy_log_file(copy, tmp_path / "new.db")
    assert "new.db" not in names(tmp_path)


def shorten(path: Path, missing: int) -> None:
    os.truncate(path, path.stat().st_size - missing)


@pytest.mark.parametrize("missing", [1, 40, 240, 4_096, -1])
async def test_a_backup_of_the_wrong_size_is_not_restored(copy: Path, missing: int, tmp_path: Path) -> None:
    shorten(copy, missing)
    before = names(tmp_path)
    with pytest.raises(LogUnusable, match="is malformed" if missing == 4_096 else "is damaged: it has"):
        await copy_log_file(copy, tmp_path / "new.db")
    assert names(tmp_path) == before


async def test_a_log_behind_a_link_is_backed_up_while_it_is_in_use(
    log: SqliteEventLog, path: Path, tmp_path: Path
) -> None:
    link = folder(tmp_path / "elsewhere") / "log"
    link.symlink_to(path)
    await log.append([sample_write("post.a", 0, 50)])
    assert await copy_log_file(link, tmp_path / "backup.db") == 50


async def test_a_cancelled_backup_leaves_nothing(log: SqliteEventLog, path: Path, tmp_path: Path) -> None:
    for number in range(20):
        await log.append([StreamWrite("post.a", number, (sample_event(plaintext=b"x" * 700_000),))])
    target = tmp_path / "backup.db"
    started = asyncio.Event()
    copying = asyncio.ensure_future(copy_log_file(path, target, progress=lambda done, pages: started.set()))
    await started.wait()
    copying.cancel()
    await asyncio.wait([copying])
    for _ in range(500):
        if not any("backup" in name for name in names(tmp_path)):
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"left behind: {names(tmp_path)}")
