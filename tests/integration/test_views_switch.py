"""An open store exchanges its views while requests go on: nobody sees an older state, and nothing fails."""

import asyncio
import logging
import shutil
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


async def exchanged(store: Store, to: Path, seconds: float) -> None:
    """Wait until the store answers from the views at `to`."""
    async with asyncio.timeout(seconds):
        while store.views.path != to:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def teasers(store: Store) -> set[str]:
    with store.snapshot() as snapshot:
        return {teaser for (teaser,) in snapshot.db.execute("SELECT teaser FROM content")}


async def test_requests_go_on_while_views_are_exchanged_back_and_forth(store: Store, tmp_path: Path) -> None:
    data = tmp_path / "store"
    over = asyncio.Event()
    seen, written = [0], [0]

    async def read() -> None:
        while not over.is_set():
            with store.snapshot() as snapshot:
                assert snapshot.position >= seen[-1]
                seen.append(snapshot.position)
                with store.snapshot() as another:
                    assert another.position >= snapshot.position
            await asyncio.sleep(0)

    async def write(who: int) -> None:
        number = 0
        while not over.is_set():
            number += 1
            made = await store.commands.handle(CreatePost(title=f"Written by {who}: {number}"))
            assert not made.views_behind
            with store.snapshot() as snapshot:
                assert snapshot.position >= made.position
                assert post_queries.by_id(snapshot, made.subject_id)
            edit = EditPost(post_id=made.subject_id, title=f"Edited {number}")
            edited = await store.commands.handle(edit)
            with store.snapshot() as snapshot:
                post = post_queries.by_id(snapshot, made.subject_id)
                assert post
                assert (post.title, snapshot.position >= edited.position) == (f"Edited {number}", True)
            written.append(edited.position)

    async def switch() -> None:
        for change in ("unversioned", None):
            before = store.views.path
            await done("rebuild", "--data", data, change=change)
            await exchanged(store, views_in_use(data), SECOND)
            for _ in range(3):
                roll_back(data)
                assert store.views.path != views_in_use(data)
                await exchanged(store, views_in_use(data), SECOND)
            roll_back(data)
            await exchanged(store, views_in_use(data), SECOND)
            assert store.views.path != before
        over.set()

    async with opened(data, "another process") as other, asyncio.TaskGroup() as tasks:
        tasks.create_task(read())
        tasks.create_task(write(1))
        tasks.create_task(write(2))
        tasks.create_task(switch())
        while not over.is_set():
            await other.commands.handle(CreatePost(title="From beside"))
            await asyncio.sleep(0.005)
    assert len(written) > 20
    assert max(written) <= await store.log.head()
    assert await store.views.wait_for(await store.log.head(), 10)
    rows = await rebuilt(store.log, tmp_path / "anew.sqlite", batch_size=500)
    assert rows_of(views_in_use(data)) == rows


async def test_a_store_that_others_are_ahead_of_does_not_go_back(store: Store, tmp_path: Path) -> None:
    """What other processes wrote to the views in use counts, also where this process has not noticed yet."""
    data = tmp_path / "store"
    await rebuild(data)
    await exchanged(store, views_in_use(data), SECOND)
    roll_back(data)
    await exchanged(store, views_in_use(data), SECOND)
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


async def test_who_reads_across_the_exchange_reads_on_from_what_was(store: Store, tmp_path: Path) -> None:
    data = tmp_path / "store"
    with store.snapshot() as snapshot:
        before = snapshot.position
        await done("rebuild", "--data", data, change="unversioned")
        await exchanged(store, views_in_use(data), SECOND)
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
    assert views_in_use(data) == path, "it has the same name"
    inode = path.stat().st_ino
    async with asyncio.timeout(SECOND):
        while store.views._inode != inode:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    made = await store.commands.handle(CreatePost(title="After"))
    with store.snapshot() as snapshot:
        assert post_queries.by_id(snapshot, made.subject_id)
    async with opened(data, "another process") as other:
        with other.snapshot() as snapshot:
            assert post_queries.by_id(snapshot, made.subject_id)
    assert rows_of(path) == await rebuilt(store.log, tmp_path / "anew.sqlite", batch_size=500)


async def test_a_store_keeps_its_views_where_those_to_be_used_are_not_for_it(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = tmp_path / "store"
    caplog.set_level(logging.WARNING, "ledgerpress.views.files.active_views")
    mine, changed = store.views.path, changed_projectors("more-tables")
    directory = ViewsDirectory(data, all_projectors())

    def warnings() -> int:
        return sum("cannot be used" in one.getMessage() for one in caplog.records)

    for switches in (1, 2):
        await rebuild(data, projectors=changed)
        refused = directory.vacant()
        shutil.copyfile(views_in_use(data, changed), refused)
        directory.switch(refused)
        await asyncio.sleep(POLL_INTERVAL * 6)
        assert (store.views.path, warnings()) == (mine, switches)
        made = await store.commands.handle(CreatePost(title="Mine"))
        with store.snapshot() as snapshot:
            assert post_queries.by_id(snapshot, made.subject_id)
        assert roll_back(data) == mine
        await asyncio.sleep(POLL_INTERVAL * 3)
        assert drop_views(data) == [refused]
    await rebuild(data)
    assert views_in_use(data) != mine
    await exchanged(store, views_in_use(data), SECOND)
    assert warnings() == 2


async def test_a_name_that_was_refused_may_be_given_to_other_views(store: Store, tmp_path: Path) -> None:
    data = tmp_path / "store"
    mine = store.views.path
    await rebuild(data)
    (new,) = [one for one in data.glob("views-*.sqlite") if one != mine]
    roll_back(data)
    await exchanged(store, mine, SECOND)
    new.write_bytes(b"nothing of the kind" * 400)
    ViewsDirectory(data, all_projectors()).switch(new)
    await asyncio.sleep(POLL_INTERVAL * 5)
    assert store.views.path == mine
    roll_back(data)
    await asyncio.sleep(POLL_INTERVAL * 5)
    drop_views(data)
    await rebuild(data)
    assert views_in_use(data) == new
    await exchanged(store, new, SECOND)


async def test_a_store_can_be_closed_at_any_moment_of_an_exchange(tmp_path: Path) -> None:
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
            exchange = asyncio.create_task(store.views._switch(views_in_use(data), 0))
            for _ in range(turns):
                await asyncio.sleep(0.0005)
                if store.views.path != before:
                    break
            for _ in range(turns % 5):
                await asyncio.sleep(0)
            exchange.cancel()
            await asyncio.wait([exchange])
            assert exchange.cancelled() or store.views.path != before


async def test_an_exchange_that_is_cancelled_while_the_former_views_are_closed_ends(tmp_path: Path) -> None:
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
        await exchanged(store, to, SECOND)
        watching = next(task for task in asyncio.all_tasks() if task.get_name() == "views in use")
        watching.cancel()
        await asyncio.wait([watching], timeout=SECOND)
        assert watching.cancelled()
