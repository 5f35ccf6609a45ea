"""A rebuild that is killed repeatedly continues where it stopped, and produces the correct rows."""

import asyncio
import shutil
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from ledgerpress.adapters.sqlite_log.event_log import SqliteEventLog
from ledgerpress.features.registry import all_projectors
from ledgerpress.server.data_directory import LOG_FILE
from ledgerpress.server.store import open_store
from ledgerpress.server.views_rebuild import rebuild
from ledgerpress.views.files.views_directory import ViewsDirectory
from scripts.workloads.generated_posts import Generator, make_categories
from tests.fixed_sources import SeededBytes, SetClock
from tests.integration.other_version_program import SMALL_BATCH
from tests.integration.program_runs import begun, done, ended, kill, program
from tests.integration.system_call_trace import killed_at, require_strace
from tests.property.store_session import Session
from tests.property.view_rows import rebuilt, rows_of, views_in_use

pytestmark = pytest.mark.serial

POSTS: Final = 6_600
EVENTS: Final = 3 * POSTS
EVERY: Final = 41


def delete_views(data: Path) -> None:
    for file in data.glob("views*"):
        file.unlink()


async def create_store(data: Path) -> None:
    """Create a store with at least `EVENTS` events and without views."""
    async with open_store(data, clock=SetClock(), randomness=SeededBytes("generated")) as store:
        generator = Generator(await make_categories(store))
    log = await SqliteEventLog.open(data / LOG_FILE, create_as=None)
    try:
        for first in range(0, POSTS, 600):
            batch = [
                generator.post(number, 1_700_000_000_000_000 + number) for number in range(first, first + 600)
            ]
            await log.append(batch)
    finally:
        await log.aclose()
    delete_views(data)


def rebuild_progress(data: Path) -> tuple[int, int]:
    """Return the position and the inode of the unfinished views file, or zeros if there is none."""
    path = ViewsDirectory(data, all_projectors()).resumable()
    if path is None:
        return 0, 0
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
            (position,) = db.execute("SELECT min(position) FROM projection").fetchone()
            return position, path.stat().st_ino
    except sqlite3.OperationalError:
        return 0, path.stat().st_ino


async def kill_at_position(data: Path, at: int, wait: float) -> tuple[int, int]:
    """Kill a rebuild `wait` seconds after it has reached position `at`. Return the position and inode of its file."""
    process = await begun("rebuild", "--data", data, change="small-batches")
    try:
        async with asyncio.timeout(60):
            while rebuild_progress(data)[0] < at:
                assert process.returncode is None
                await asyncio.sleep(0.002)
        await asyncio.sleep(wait)
    finally:
        await kill(process)
    return rebuild_progress(data)


async def test_a_killed_rebuild_continues_where_it_stopped(tmp_path: Path) -> None:
    data = tmp_path / "store"
    await create_store(data)
    _, inode = progress = await kill_at_position(data, 1, 0)
    assert SMALL_BATCH <= progress[0] < EVENTS
    for wait in (0.0, 0.01, 0.05):
        before, (position, same_inode) = progress[0], await kill_at_position(data, progress[0] + 1, wait)
        assert before < position < EVENTS
        assert same_inode == inode, "the rebuild continues with the same file"
        progress = position, same_inode
    assert "There were no views to compare with." in await done("rebuild", "--data", data)
    path = views_in_use(data)
    assert path.stat().st_ino == inode
    log = await SqliteEventLog.open(data / LOG_FILE, create_as=None)
    try:
        assert await log.head() > EVENTS
        assert rows_of(path) == await rebuilt(log, tmp_path / "anew.sqlite", batch_size=5_000)
    finally:
        await log.aclose()
    assert (await program("views", "rollback", "--data", data)).code == 1


async def test_kills_at_writes_of_a_rebuild_are_harmless(tmp_path: Path) -> None:
    """After a kill, either the old or the new views are in use and correct, and the next rebuild succeeds."""
    require_strace()
    data = tmp_path / "store"
    async with Session(data) as session:
        await session.begin()
        rows = await rebuilt(session.store.log, tmp_path / "anew.sqlite", batch_size=500)
    in_use = views_in_use(data)
    new = ViewsDirectory(data, all_projectors()).vacant()
    ends: list[int] = []
    while 0 not in ends:
        step = 1 + EVERY * len(ends)
        copy = tmp_path / f"{step}"
        await asyncio.to_thread(shutil.copytree, data, copy)
        ends.append(await killed_at_write(copy, new.name, step))
        assert views_in_use(copy).name in {in_use.name, new.name}
        assert rows_of(views_in_use(copy)) == rows
        comparison = await rebuild(copy)
        assert comparison
        assert comparison.tables == []
        assert rows_of(views_in_use(copy)) == rows
    assert len(ends) > 3


async def killed_at_write(data: Path, name: str, step: int) -> int:
    """Kill a rebuild at write `step` to the new views or to the pointer to the current views. Return its exit code."""
    files = [data / f"{name}{end}" for end in ("", "-wal", "-journal")] + [data / "views.new"]
    process = await asyncio.create_subprocess_exec(
        *killed_at(step, (sys.executable, "-m", "ledgerpress", "rebuild", "--data", data), *files),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    result = await ended(process)
    assert result.code in {0, -signal.SIGKILL}, result.err
    return result.code
