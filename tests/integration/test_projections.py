"""The views with a faulty projector, a faulty log, or a program that does not know an event type."""

import asyncio
import logging
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ledgerpress.commands.command_and_guard_declarations import Command
from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.eventlog.codec import Codec, EventType, Recorded
from ledgerpress.eventlog.errors import GapInLog
from ledgerpress.eventlog.event_and_withdrawn_event import Event, withdrawn
from ledgerpress.eventlog.log import NO_STREAM, StreamWrite
from ledgerpress.features.authors.commands import RegisterAuthor
from ledgerpress.features.posts import post_queries
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost
from ledgerpress.features.registry import EVENT_TYPES, all_projectors
from ledgerpress.features.site.commands import NameSite
from ledgerpress.server.data_directory import LOG_FILE
from ledgerpress.views.projection import checkpoints
from ledgerpress.views.projection.projector_interface_and_composition import Projector, ProjectorBatch
from tests.altered_projectors import Altered
from tests.integration.failing_projectors import running, sparkled, store_in, tables_of, with_failing
from tests.property.altered_logs import AlteredLog, without
from tests.property.store_session import Session
from tests.property.view_rows import rebuilt, rows_of, views_in_use


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Suppress the log lines of the hundreds of faults that these tests cause."""
    caplog.set_level(logging.CRITICAL, "ledgerpress.views.projection")


async def test_a_batch_with_a_gap_is_rejected_and_not_applied(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "views.sqlite"
    log = AlteredLog(session.store.log, without(17))
    async with running(log, path, batch_size=10) as runner:
        assert await runner.step()
        before = rows_of(path)
        with pytest.raises(GapInLog) as gap:
            await runner.step()
        assert (gap.value.expected, gap.value.actual) == (17, 18)
        assert rows_of(path) == before
        assert {point.position for point in runner.checkpoints.values()} == {10}


async def test_a_projection_continues_when_a_gap_closes(session: Session, tmp_path: Path) -> None:
    log, path = AlteredLog(session.store.log, without(17)), tmp_path / "views.sqlite"
    async with running(log, path) as runner:
        following = asyncio.create_task(runner.run())
        assert not await runner.wait_for(17, timeout=0.2)
        log.alter = list
        assert await runner.wait_for(await log.head(), timeout=10)
        following.cancel()
        await asyncio.wait([following])
    assert rows_of(path) == await rebuilt(session.store.log, tmp_path / "again.sqlite", batch_size=500)


@pytest.mark.parametrize("batch_size", [1, 7, 500])
@pytest.mark.parametrize("name", [projector.name for projector in all_projectors()])
async def test_a_projection_pauses_where_its_projector_fails_and_the_others_continue(
    session: Session, tmp_path: Path, name: str, batch_size: int
) -> None:
    log, head, fails_at = session.store.log, await session.store.log.head(), 41
    complete = await rebuilt(log, tmp_path / "sound.sqlite", batch_size=batch_size)
    truncated = AlteredLog(log, lambda events: [event for event in events if event.position < fails_at])
    before_failure = await rebuilt(truncated, tmp_path / "short.sqlite", batch_size=batch_size)

    path = tmp_path / "views.sqlite"
    broken = with_failing(name, lambda recorded: recorded.position == fails_at)
    async with running(log, path, projectors=broken, batch_size=batch_size) as runner:
        await runner.catch_up()
        paused = runner.checkpoints[name]
        assert (paused.position, paused.error) == (fails_at - 1, "ValueError: this cannot be")
        others = {other: point for other, point in runner.checkpoints.items() if other != name}
        assert {(point.position, point.error) for point in others.values()} == {(head, None)}
        assert not await runner.wait_for(head, timeout=60)
        assert await runner.wait_for(head, timeout=60, names=list(others))
    assert tables_of(name, rows_of(path)) == tables_of(name, before_failure)
    for other in others:
        assert tables_of(other, rows_of(path)) == tables_of(other, complete)

    async with running(log, path, batch_size=batch_size) as repaired:
        await repaired.catch_up()
        assert {point.position for point in repaired.checkpoints.values()} == {head}
    assert rows_of(path) == complete


class _FailingFlush:
    """Applies events as the original projector does, but fails to flush the rows of one event."""

    def __init__(self, original: ProjectorBatch, fails_at: int) -> None:
        self._original = original
        self._fails_at = fails_at
        self._last = 0

    def apply(self, recorded: Recorded[Event]) -> None:
        self._last = recorded.position
        self._original.apply(recorded)

    def flush(self) -> None:
        self._original.flush()
        if self._last >= self._fails_at:
            raise ValueError("this cannot be written")


@pytest.mark.parametrize("batch_size", [1, 7, 500])
async def test_a_projection_pauses_at_the_event_whose_rows_cannot_be_written(
    session: Session, tmp_path: Path, batch_size: int
) -> None:
    class FailingAtFlush(Altered):
        def begin(self, db: sqlite3.Connection) -> ProjectorBatch:
            return _FailingFlush(super().begin(db), fails_at=41)

    def apply(writing: ProjectorBatch, recorded: Recorded[Event]) -> None:
        writing.apply(recorded)

    log = session.store.log
    truncated = AlteredLog(log, lambda events: [event for event in events if event.position < 41])
    before_failure = await rebuilt(truncated, tmp_path / "short.sqlite", batch_size=batch_size)
    projectors: list[Projector] = [
        FailingAtFlush(projector, apply) if projector.name == "listings" else projector
        for projector in all_projectors()
    ]
    path = tmp_path / "views.sqlite"
    async with running(log, path, projectors=projectors, batch_size=batch_size) as runner:
        await runner.catch_up()
        paused = runner.checkpoints["listings"]
        assert (paused.position, paused.error) == (40, "ValueError: this cannot be written")
    assert tables_of("listings", rows_of(path)) == tables_of("listings", before_failure)


async def test_commands_work_while_a_projection_is_paused(tmp_path: Path) -> None:
    broken = with_failing("people", lambda recorded: recorded.header.type == "site.named")
    async with store_in(tmp_path / "data", projectors=broken) as store:
        renamed = await store.commands.handle(NameSite(name="The Tide"))
        created = await store.commands.handle(
            CreatePost(title="Tide mill"), CommandRequest(idempotency_key="once")
        )
        again = await store.commands.handle(
            CreatePost(title="Tide mill"), CommandRequest(idempotency_key="once")
        )
        assert renamed.views_behind
        assert created.views_behind
        assert (again.replayed, again.position) == (True, created.position)
        with store.snapshot() as snapshot:
            assert snapshot.position == renamed.position - 1
            assert post_queries.by_id(snapshot, created.subject_id) is None
    async with store_in(tmp_path / "data") as store:
        with store.snapshot() as snapshot:
            assert post_queries.by_id(snapshot, created.subject_id)


class PostSparkled(Event, frozen=True):
    """An event that a later version of the program records."""

    post_id: str


async def test_an_event_of_an_unknown_type_pauses_all_projections(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with store_in(data) as store:
        head = (await store.commands.handle(CreatePost(title="Tide mill"))).position
        await store.log.append([StreamWrite("post.sparks", NO_STREAM, (sparkled(),))])
        async with asyncio.timeout(10):
            await store.log.wait_beyond(head, 5)
            assert not await store.views.wait_for(head + 1, 5)
            renamed = await store.commands.handle(NameSite(name="The Tide"))
        assert renamed.views_behind
        for point in store.checkpoints.values():
            assert point.position == head
            assert point.error
            assert "post.sparkled version 1 is unknown" in point.error
        with pytest.raises(Rejection) as rejection:
            await store.commands.handle(NameSite(name="The Tides"), CommandRequest(idempotency_key="once"))
        assert rejection.value.code is ErrorCode.VIEWS_PAUSED
        log = store.log
        newer = Codec(
            [*(EventType(*entry) for entry in EVENT_TYPES), EventType("post.sparkled", 1, PostSparkled)],
            withdrawn,
        )
        async with running(log, views_in_use(data), codec=newer) as upgraded:
            await upgraded.catch_up()
            assert {point.position for point in upgraded.checkpoints.values()} == {renamed.position}
        async with asyncio.timeout(10):
            while any(point.is_paused for point in store.checkpoints.values()):  # noqa: ASYNC110
                await asyncio.sleep(0.05)


async def test_deleting_the_views_loses_nothing(session: Session) -> None:
    path = views_in_use(session.data)
    before = rows_of(path)
    await session.restart(lose_views=True)
    assert rows_of(views_in_use(session.data)) == before


async def test_views_of_another_log_are_rebuilt(tmp_path: Path) -> None:
    data, saved = tmp_path / "data", tmp_path / "saved"
    saved.mkdir()
    await execute_in(data, NameSite(name="The Tide"))
    shutil.copy(data / LOG_FILE, saved)

    await execute_in(data, NameSite(name="The Ebb"), once=RegisterAuthor(name="Ada Brook"))
    old_views = views_in_use(data)
    shutil.copy(old_views, saved)
    restore_log(data, saved / LOG_FILE)
    await execute_in(data, NameSite(name="The Flood"), once=RegisterAuthor(name="Ada Brook"))
    shutil.copy(saved / old_views.name, old_views)

    async with store_in(data) as store:
        last = (await store.log.read(await store.log.head() - 1, 1))[0]
        with closing(sqlite3.connect(saved / old_views.name)) as db:
            assert {point.position for point in checkpoints.read(db).values()} == {last.position}
        rows = rows_of(views_in_use(data))
        assert rows == await rebuilt(store.log, tmp_path / "again.sqlite", batch_size=500)
        assert "The Flood" in [row[1] for row in rows["site_state"]]


async def test_views_ahead_of_a_restored_log_are_rebuilt(tmp_path: Path) -> None:
    data, saved = tmp_path / "data", tmp_path / LOG_FILE
    await execute_in(data, NameSite(name="The Tide"))
    shutil.copy(data / LOG_FILE, saved)
    await execute_in(data, NameSite(name="The Ebb"))
    shutil.copy(saved, data / LOG_FILE)
    async with store_in(data) as store:
        path = views_in_use(data)
        assert rows_of(path) == await rebuilt(store.log, tmp_path / "again.sqlite", batch_size=500)


def restore_log(data: Path, log: Path) -> None:
    """Replace the log in use by a saved log."""
    shutil.rmtree(data)
    data.mkdir()
    shutil.copy(log, data / LOG_FILE)


async def execute_in(data: Path, *commands: Command, once: Command | None = None) -> None:
    """Execute commands in a store and close it; `once` is executed last, with an idempotency key."""
    async with store_in(data) as store:
        for command in commands:
            await store.commands.handle(command)
        if once:
            await store.commands.handle(once, CommandRequest(idempotency_key="once"))
