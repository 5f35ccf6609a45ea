"""An open store switches its views during requests: no reader sees an older state, and no request fails."""

import asyncio
import logging
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

from ledgerpress.features.posts import post_queries
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost, EditPost
from ledgerpress.features.registry import all_projectors
from ledgerpress.features.site.commands import NameSite
from ledgerpress.operator.rebuild_and_switch_views import drop_views, roll_back
from ledgerpress.server.store import Store, open_store
from ledgerpress.server.views_rebuild import rebuild
from ledgerpress.views.files.active_views import POLL_INTERVAL
from ledgerpress.views.files.views_directory import ViewsDirectory
from tests.fixed_sources import SeededBytes, SetClock
from tests.integration.other_version_program import changed_projectors
from tests.integration.program_runs import done
from tests.property.view_rows import rebuilt, rows_of, views_in_use

SECOND: Final = 1.0


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An open store with some posts, in the directory `store`."""
    async with opened(tmp_path / "store") as store:
        for number in range(4):
            await store.commands.handle(CreatePost(title=f"Post {number}", teaser="as it was"))
            await store.commands.handle(NameSite(name=f"The Tide {number}"))
        yield store


@asynccontextmanager
async def opened(data: Path, seed: str = "posts") -> AsyncIterator[Store]:
    async with open_store(data, clock=SetClock(), randomness=SeededBytes(seed)) as store:
        yield store


async def wait_for_switch(store: Store, to: Path, seconds: float) -> None:
    """Wait until the store uses the views at `to`."""
    async with asyncio.timeout(seconds):
        while store.views.path != to:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def teasers(store: Store) -> set[str]:
    with store.snapshot() as snapshot:
        return {teaser for (teaser,) in snapshot.db.execute("SELECT teaser FROM content")}


async def test_requests_continue_while_views_are_switched_back_and_forth(
    store: Store, tmp_path: Path
) -> None:
    data = tmp_path / "store"
    finished = asyncio.Event()
    read_positions, written_positions = [0], [0]

    async def read() -> None:
        while not finished.is_set():
            with store.snapshot() as snapshot:
                assert snapshot.position >= read_positions[-1]
                read_positions.append(snapshot.position)
                with store.snapshot() as another:
                    assert another.position >= snapshot.position
            await asyncio.sleep(0)

    async def write(writer: int) -> None:
        number = 0
        while not finished.is_set():
            number += 1
            created = await store.commands.handle(CreatePost(title=f"Written by {writer}: {number}"))
            assert not created.views_behind
            with store.snapshot() as snapshot:
                assert snapshot.position >= created.position
                assert post_queries.by_id(snapshot, created.subject_id)
            edit = EditPost(post_id=created.subject_id, title=f"Edited {number}")
            edited = await store.commands.handle(edit)
            with store.snapshot() as snapshot:
                post = post_queries.by_id(snapshot, created.subject_id)
                assert post
                assert (post.title, snapshot.position >= edited.position) == (f"Edited {number}", True)
            written_positions.append(edited.position)

    async def switch() -> None:
        for change in ("unversioned", None):
            before = store.views.path
            await done("rebuild", "--data", data, change=change)
            await wait_for_switch(store, views_in_use(data), SECOND)
            for _ in range(3):
                roll_back(data)
                assert store.views.path != views_in_use(data)
                await wait_for_switch(store, views_in_use(data), SECOND)
            roll_back(data)
            await wait_for_switch(store, views_in_use(data), SECOND)
            assert store.views.path != before
        finished.set()

    async with opened(data, "another process") as other, asyncio.TaskGroup() as tasks:
        tasks.create_task(read())
        tasks.create_task(write(1))
        tasks.create_task(write(2))
        tasks.create_task(switch())
        while not finished.is_set():
            await other.commands.handle(CreatePost(title="From beside"))
            await asyncio.sleep(0.005)
    assert len(written_positions) > 20
    assert max(written_positions) <= await store.log.head()
    assert await store.views.wait_for(await store.log.head(), 10)
    rows = await rebuilt(store.log, tmp_path / "anew.sqlite", batch_size=500)
    assert rows_of(views_in_use(data)) == rows


async def test_a_switch_does_not_go_back_behind_events_that_other_processes_applied(
    store: Store, tmp_path: Path
) -> None:
    """Events that other processes applied to the views in use count, even if this process has not noticed them yet."""
    data = tmp_path / "store"
    await rebuild(data)
    await wait_for_switch(store, views_in_use(data), SECOND)
    roll_back(data)
    await wait_for_switch(store, views_in_use(data), SECOND)
    following = store.views._live._following
    assert following
    following.cancel()
    async with opened(data, "another process") as other:
        head = (await other.commands.handle(CreatePost(title="From beside"))).position
    with store.snapshot() as snapshot:
        assert snapshot.position == head
    assert {point.position for point in store.checkpoints.values()} != {head}
    to = roll_back(data)
    async with asyncio.timeout(SECOND):
        while store.views.path != to:
            with store.snapshot() as snapshot:
                assert snapshot.position == head
            await asyncio.sleep(0)
    with store.snapshot() as snapshot:
        assert snapshot.position == head


async def test_a_snapshot_that_is_open_during_a_switch_still_reads_the_former_views(
    store: Store, tmp_path: Path
) -> None:
    data = tmp_path / "store"
    with store.snapshot() as snapshot:
        before = snapshot.position
        await done("rebuild", "--data", data, change="unversioned")
        await wait_for_switch(store, views_in_use(data), SECOND)
        drop_views(data)
        await store.commands.handle(CreatePost(title="Later", teaser="later"))
        assert snapshot.db.execute("SELECT DISTINCT teaser FROM content").fetchall() == [("as it was",)]
        assert snapshot.position == before
        assert teasers(store) >= {"AS IT WAS", "later"}


async def test_views_deleted_under_an_open_store_are_replaced(store: Store, tmp_path: Path) -> None:
    data = tmp_path / "store"
    path = views_in_use(data)
    for file in data.glob("views*"):
        file.unlink()
    await store.commands.handle(CreatePost(title="Meanwhile"))
    await done("rebuild", "--data", data)
    assert views_in_use(data) == path, "the new views have the same name"
    inode = path.stat().st_ino
    async with asyncio.timeout(SECOND):
        while store.views._inode != inode:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    created = await store.commands.handle(CreatePost(title="After"))
    with store.snapshot() as snapshot:
        assert post_queries.by_id(snapshot, created.subject_id)
    async with opened(data, "another process") as other:
        with other.snapshot() as snapshot:
            assert post_queries.by_id(snapshot, created.subject_id)
    assert rows_of(path) == await rebuilt(store.log, tmp_path / "anew.sqlite", batch_size=500)


async def test_a_store_keeps_its_views_if_it_cannot_use_the_new_current_views(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = tmp_path / "store"
    caplog.set_level(logging.WARNING, "ledgerpress.views.files.active_views")
    current, changed = store.views.path, changed_projectors("more-tables")
    directory = ViewsDirectory(data, all_projectors())

    def warnings() -> int:
        return sum("cannot be used" in record.getMessage() for record in caplog.records)

    for switches in (1, 2):
        await rebuild(data, projectors=changed)
        rejected = directory.vacant()
        shutil.copyfile(views_in_use(data, changed), rejected)
        directory.switch(rejected)
        await asyncio.sleep(POLL_INTERVAL * 6)
        assert (store.views.path, warnings()) == (current, switches)
        created = await store.commands.handle(CreatePost(title="Mine"))
        with store.snapshot() as snapshot:
            assert post_queries.by_id(snapshot, created.subject_id)
        assert roll_back(data) == current
        await asyncio.sleep(POLL_INTERVAL * 3)
        assert drop_views(data) == [rejected]
    await rebuild(data)
    assert views_in_use(data) != current
    await wait_for_switch(store, views_in_use(data), SECOND)
    assert warnings() == 2


@pytest.mark.parametrize(
    "error", [TypeError("a mistake"), sqlite3.OperationalError("locked"), OSError(5, "")]
)
async def test_a_store_still_switches_its_views_after_an_error_of_any_class(
    store: Store,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    data = tmp_path / "store"
    caplog.set_level(logging.WARNING, "ledgerpress.views.files.active_views")
    failures = []

    def fail(*_: object) -> None:
        failures.append(1)
        raise error

    for place, method, words in (
        (store.views._checks, "run", "could not be checked"),
        (store.views._directory, "identity", "the others cannot be used"),
    ):
        failures.clear()
        with monkeypatch.context() as patch:
            patch.setattr(place, method, fail)
            async with asyncio.timeout(10 * SECOND):
                while len(failures) < 3:  # noqa: ASYNC110
                    await asyncio.sleep(POLL_INTERVAL)
        (record,) = [record for record in caplog.records if words in record.getMessage()]
        assert bool(record.exc_info) is isinstance(error, TypeError), (
            "only a mistake is logged with a traceback"
        )
    await rebuild(data)
    await wait_for_switch(store, views_in_use(data), 10 * SECOND)


async def test_the_name_of_rejected_views_can_be_used_for_other_views(store: Store, tmp_path: Path) -> None:
    data = tmp_path / "store"
    current = store.views.path
    await rebuild(data)
    (new,) = [path for path in data.glob("views-*.sqlite") if path != current]
    roll_back(data)
    await wait_for_switch(store, current, SECOND)
    new.write_bytes(b"nothing of the kind" * 400)
    ViewsDirectory(data, all_projectors()).switch(new)
    await asyncio.sleep(POLL_INTERVAL * 5)
    assert store.views.path == current
    roll_back(data)
    await asyncio.sleep(POLL_INTERVAL * 5)
    drop_views(data)
    await rebuild(data)
    assert views_in_use(data) == new
    await wait_for_switch(store, new, SECOND)


async def test_a_store_can_be_closed_at_any_moment_of_a_switch(tmp_path: Path) -> None:
    data = tmp_path / "store"
    async with opened(data) as store:
        await store.commands.handle(CreatePost(title="Post"))
    await rebuild(data)
    for turns in range(0, 60, 2):
        async with asyncio.timeout(20), opened(data, f"opening {turns}") as store:
            before = store.views.path
            roll_back(data)
            watching = next(task for task in asyncio.all_tasks() if task.get_name() == "views in use")
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
            switch = asyncio.create_task(store.views._switch(views_in_use(data), 0))
            for _ in range(turns):
                await asyncio.sleep(0.0005)
                if store.views.path != before:
                    break
            for _ in range(turns % 5):
                await asyncio.sleep(0)
            switch.cancel()
            await asyncio.wait([switch])
            assert switch.cancelled() or store.views.path != before


async def test_a_switch_that_is_cancelled_while_the_former_views_are_closed_ends(tmp_path: Path) -> None:
    data = tmp_path / "store"
    async with opened(data):
        pass
    await rebuild(data)

    async def slow_to_stop() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.1)

    async with opened(data) as store:
        live = store.views._live
        assert live._following
        live._following.cancel()
        live._following = asyncio.create_task(slow_to_stop())
        to = roll_back(data)
        await wait_for_switch(store, to, SECOND)
        watching = next(task for task in asyncio.all_tasks() if task.get_name() == "views in use")
        watching.cancel()
        await asyncio.wait([watching], timeout=SECOND)
        assert watching.cancelled()
