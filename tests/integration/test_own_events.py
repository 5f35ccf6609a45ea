"""A process applies the events that it has recorded itself without reading them, on the thread of the event loop."""

import asyncio
import gc
import sqlite3
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost
from ledgerpress.features.registry import all_projectors
from ledgerpress.operator.withdraw import withdraw_payload
from ledgerpress.retry import poll
from ledgerpress.server.store import Store
from ledgerpress.sqlite.connection import open_connection
from ledgerpress.views.files.views_file_connections import ViewsFile
from ledgerpress.views.projection import runner
from tests.fixed_sources import SeededBytes, SetClock
from tests.integration.failing_projectors import running, store_in
from tests.property.view_rows import rebuilt, rows_of, views_in_use

POSTS = 40


async def create(store: Store, title: str) -> None:
    result = await store.commands.handle(CreatePost(title=title, publish=True))
    assert not result.views_behind


async def test_own_events_are_not_read_from_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with store_in(tmp_path / "data") as store:
        reads = list[int]()
        read = store.log.read

        async def counted(after: int, limit: int) -> list[StoredEvent]:
            reads.append(after)
            return await read(after, limit)

        monkeypatch.setattr(store.log, "read", counted)
        for number in range(POSTS):
            await create(store, f"Post {number}")
        # Only a poll for events of other processes may read the log in between.
        assert len(reads) < POSTS / 2
        rows = rows_of(views_in_use(tmp_path / "data"))
        assert rows == await rebuilt(store.log, tmp_path / "again.sqlite", batch_size=500)


async def test_events_of_several_processes_are_applied_in_order(tmp_path: Path) -> None:
    async with store_in(tmp_path / "data") as store, store_in(tmp_path / "data") as other:

        async def fill(writer: Store, name: str) -> None:
            for number in range(POSTS):
                await create(writer, f"{name} {number}")

        await asyncio.gather(fill(store, "One"), fill(other, "Two"), fill(store, "Three"))
        head = await store.log.head()
        assert await store.views.wait_for(head, 10)
        assert await other.views.wait_for(head, 10)
        rows = rows_of(views_in_use(tmp_path / "data"))
        assert rows == await rebuilt(store.log, tmp_path / "again.sqlite", batch_size=500)


async def test_deleted_text_is_overwritten_while_this_process_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers have prevented the first attempts. The next ones do not wait for a pause in the writing."""
    attempts, are_readers_gone = 0, False

    async def sweep(_: ViewsFile) -> bool:
        nonlocal attempts
        attempts += 1
        return are_readers_gone

    monkeypatch.setattr(ViewsFile, "sweep", sweep)
    monkeypatch.setattr(runner, "SWEEP_INTERVAL", 0.0)
    async with store_in(tmp_path / "data") as store:
        await create(store, "First")
        attempts = 0
        for number in range(POSTS):
            await create(store, f"Post {number}")
        assert attempts
        are_readers_gone = True
        await create(store, "Last")
        attempts = 0
        await create(store, "After it")
        assert not attempts


async def test_the_views_follow_while_a_reader_prevents_that_deleted_text_is_overwritten(
    tmp_path: Path,
) -> None:
    async with store_in(tmp_path / "data") as store:
        await create(store, "Secret")
        position = await store.log.head() - 1
        with closing(sqlite3.connect(views_in_use(tmp_path / "data"), isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM projection").fetchone()
            await withdraw_payload(
                store.log, store.codec, SetClock(), SeededBytes(), position, CommandRequest(reason="Legal")
            )
            for number in range(POSTS):
                await create(store, f"Post {number}")
            assert not await store.views.sweep()
        assert await store.views.sweep()


async def test_events_that_are_applied_already_are_not_kept(tmp_path: Path) -> None:
    """If they are handed over late, their payloads may have been withdrawn since."""
    async with store_in(tmp_path / "data") as store, running(store.log, tmp_path / "own.sqlite") as own:
        await own.catch_up()
        late = [store.codec.decode(stored) for stored in await store.log.read(0, 500)]
        before = sys.getrefcount(late[-1])
        own.hand_over(late)
        after = sys.getrefcount(late[-1])
        assert after == before


async def test_the_event_loop_does_not_wait_for_a_lock_on_the_views(tmp_path: Path) -> None:
    async with store_in(tmp_path / "data") as store:
        longest, last = 0.0, time.monotonic()

        async def tick() -> None:
            nonlocal longest, last
            while True:
                await asyncio.sleep(0.01)
                longest, last = max(longest, time.monotonic() - last), time.monotonic()

        ticking = asyncio.create_task(tick())
        with closing(sqlite3.connect(views_in_use(tmp_path / "data"), isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            creating = asyncio.create_task(create(store, "Locked"))
            await asyncio.sleep(3)
            assert not creating.done()
            db.execute("COMMIT")
        await creating
        ticking.cancel()
        assert longest < 2


class TestBriefWrites:
    """`ViewsFile.write` with `is_brief`."""

    async def test_a_brief_write_waits_for_a_write_on_the_thread(self, tmp_path: Path) -> None:
        views = await ViewsFile.open(tmp_path / "views.sqlite", all_projectors())
        order = list[str]()

        def slow(db: sqlite3.Connection) -> None:
            time.sleep(0.2)
            order.append("slow")

        try:
            writing = asyncio.create_task(views.write(slow))
            await asyncio.sleep(0.05)
            await views.write(lambda _: order.append("brief"), is_brief=True)
            await writing
        finally:
            await views.aclose()
        assert order == ["slow", "brief"]

    async def test_a_brief_write_waits_for_a_write_whose_caller_was_cancelled(self, tmp_path: Path) -> None:
        views = await ViewsFile.open(tmp_path / "views.sqlite", all_projectors())
        order = list[str]()

        def slow(db: sqlite3.Connection) -> None:
            order.append("begin")
            time.sleep(0.2)
            order.append("end")

        try:
            writing = asyncio.create_task(views.write(slow))
            await asyncio.sleep(0.05)
            writing.cancel()
            await asyncio.sleep(0)
            await views.write(lambda _: order.append("brief"), is_brief=True)
        finally:
            await views.aclose()
        assert order == ["begin", "end", "brief"]

    async def test_a_failed_brief_write_changes_nothing(self, tmp_path: Path) -> None:
        views = await ViewsFile.open(tmp_path / "views.sqlite", all_projectors())

        def failing(db: sqlite3.Connection) -> None:
            db.execute("UPDATE projection SET position = 7")
            raise ValueError("this cannot be")

        try:
            with pytest.raises(ValueError, match="this cannot be"):
                await views.write(failing, is_brief=True)
            assert {point.position for point in views.checkpoints().values()} == {0}
            assert await views.write(lambda db: db.in_transaction, is_brief=True)
        finally:
            await views.aclose()

    async def test_many_brief_writes_move_the_write_ahead_log_into_the_file(self, tmp_path: Path) -> None:
        path = tmp_path / "views.sqlite"
        views = await ViewsFile.open(path, all_projectors())
        size = path.stat().st_size

        def write(db: sqlite3.Connection) -> None:
            digests: Sequence[tuple[str, int, str]] = [(f"{number}", 1, "x" * 64) for number in range(100)]
            db.executemany("INSERT OR REPLACE INTO projection_digest VALUES (?, ?, ?)", digests)

        async def is_moved() -> bool | None:
            return True if path.stat().st_size > size else None

        try:
            for _ in range(20):
                await views.write(write, is_brief=True)
            assert await poll(is_moved, interval=0.02, timeout=10)
        finally:
            await views.aclose()

    async def test_closing_waits_for_the_move_of_the_write_ahead_log(self, tmp_path: Path) -> None:
        """Otherwise, the move fails without a connection, and asyncio logs an error of the program."""
        failures = list[dict[str, Any]]()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
        digests = [(f"{number}", 1, "x" * 64) for number in range(1_100)]
        for number in range(8):
            views = await ViewsFile.open(tmp_path / f"views-{number}.sqlite", all_projectors())
            await views.write(
                lambda db: db.executemany("INSERT INTO projection_digest VALUES (?, ?, ?)", digests),
                is_brief=True,
            )
            await views.aclose()
            del views
            await asyncio.sleep(0.01)
            gc.collect()
        assert failures == []


async def test_a_connection_runs_work_of_one_thread_at_a_time(tmp_path: Path) -> None:
    connection = await open_connection(tmp_path / "file.sqlite", create=True)
    try:
        running = asyncio.create_task(connection.run(lambda _: time.sleep(0.2)))
        await asyncio.sleep(0.05)
        with pytest.raises(BlockingIOError):
            connection.run_now(lambda _: None)
        await running
        assert connection.run_now(lambda db: db.execute("SELECT 1").fetchone()) == (1,)
    finally:
        await connection.close()
