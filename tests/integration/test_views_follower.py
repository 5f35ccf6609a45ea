"""A process that follows views to which another process applies events, without messages of that process."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ledgerpress.eventlog.log import OpenedLog, StreamWrite
from ledgerpress.features.categories.commands import CreateCategory
from ledgerpress.operator.withdraw import withdraw_from
from ledgerpress.server.store import Store, open_store
from ledgerpress.views.projection.views_writer_role import ViewsAdvance

SECONDS = 30.0


class SilentWorkers:
    """Other workers, one of which applies events, but sends no messages."""

    is_writer = False

    def __init__(self, *, has_writer: bool = True) -> None:
        self.has_writer = has_writer
        self.commits: list[ViewsAdvance] = []
        self.forgot_to = -1
        self.note: Callable[[ViewsAdvance], None] = lambda _: None

    async def becomes_writer(self, timeout: float) -> bool:
        await asyncio.sleep(timeout)
        return False

    def committed(self, advance: ViewsAdvance) -> None:
        self.commits.append(advance)

    def forgot(self, position: int) -> None:
        self.forgot_to = position

    def shared(self, log: OpenedLog, _: Callable[[Sequence[StreamWrite], int], None]) -> OpenedLog:
        return log

    @asynccontextmanager
    async def following(self, note: Callable[[ViewsAdvance], None]) -> AsyncIterator[None]:
        self.note = note
        yield


@pytest.fixture
async def writer(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "data") as store:
        yield store


async def create(store: Store, name: str) -> int:
    """Create a category, and return its position."""
    result = await store.commands.handle(CreateCategory(name=name))
    assert not result.views_behind
    return result.position


async def test_a_follower_learns_of_commits_without_messages(writer: Store, tmp_path: Path) -> None:
    workers = SilentWorkers()
    async with open_store(tmp_path / "data", workers=workers) as follower:
        workers.commits.clear()
        for number in range(3):
            position = await create(writer, f"Number {number}")
            assert await follower.views.wait_for(position, SECONDS)
            with follower.snapshot() as snapshot:
                assert snapshot.position == position
        position = await create(follower, "By the follower")
        assert await writer.views.wait_for(position, SECONDS)
        assert workers.commits == []


async def test_a_follower_forgets_what_was_withdrawn_without_a_message(writer: Store, tmp_path: Path) -> None:
    workers = SilentWorkers()
    async with open_store(tmp_path / "data", workers=workers) as follower:
        await create(writer, "Before")
        (position,) = [
            event.position
            for event in await writer.log.read(0, 100)
            if event.header.type == "category.created"
        ]
        cleared = asyncio.Event()
        follower.caches.append(cleared.set)
        assert workers.forgot_to >= 0
        record = await withdraw_from(writer, tmp_path / "data", position, "Order 7/24")
        async with asyncio.timeout(SECONDS):
            await cleared.wait()
        assert await follower.views.wait_for(record, SECONDS)
        assert workers.forgot_to >= record


@pytest.mark.parametrize("has_writer", [True, False], ids=["it hangs", "it is known to hang"])
async def test_a_follower_applies_events_if_no_other_process_does(tmp_path: Path, has_writer: bool) -> None:
    async with open_store(tmp_path / "data"):
        pass
    workers = SilentWorkers(has_writer=has_writer)
    async with open_store(tmp_path / "data", workers=workers) as follower:
        workers.commits.clear()
        position = (await follower.commands.handle(CreateCategory(name="Alone"))).position
        assert await follower.views.wait_for(position, SECONDS)
        # Others may follow this process then.
        assert workers.commits[-1].read_to == position


async def test_a_message_after_a_missed_one_is_not_taken_for_everything(
    writer: Store, tmp_path: Path
) -> None:
    workers = SilentWorkers()
    async with open_store(tmp_path / "data", workers=workers) as follower:
        reached = follower.position
        await create(writer, "Missed")
        points, file = writer.checkpoints, writer.views.path.name
        position = writer.position
        workers.note(ViewsAdvance.of(file, position - 1, position, points, [1]))
        assert follower.position == reached
        assert await follower.views.wait_for(position, SECONDS)
        workers.note(ViewsAdvance.of(file, reached, reached, {}, []))
        assert follower.position == position
