"""A follower with its own storage is killed with `kill -9`: it misses no event, and its transactions repeat none."""

import asyncio
import signal
import sqlite3
import sys
from collections import Counter
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Final

import pytest

import ledgerpress
from ledgerpress import CreatePost, OpenStore

ROOT: Final = Path(__file__).parents[2]
KILLS: Final = 6
POSTS: Final = 15
"""The number of posts that are written while a follower runs; each has three events."""
TIMEOUT: Final = 60


class Follower:
    """The follower program on one store; a test can start it any number of times."""

    def __init__(self, directory: Path) -> None:
        self.data, self.database, self.effects = (
            directory / "data",
            directory / "follower.db",
            directory / "effects",
        )

    async def start(self, *kill_at: object) -> asyncio.subprocess.Process:
        program = (sys.executable, "-m", "tests.integration.library_follower_program")
        return await asyncio.create_subprocess_exec(
            *program, self.data, self.database, self.effects, *map(str, kill_at),
            cwd=ROOT, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip

    def handled(self) -> list[tuple[int, str]]:
        with closing(sqlite3.connect(self.database)) as db:
            return db.execute("SELECT position, event_id FROM handled ORDER BY position").fetchall()

    def effect_positions(self) -> list[int]:
        return [int(line) for line in self.effects.read_text().split()]

    async def finish(self, head: int) -> None:
        """Run the program until it has handled the event at `head`."""
        process = await self.start()
        try:
            await position_of(process, head)
        finally:
            process.kill()
            await process.communicate()


async def position_of(process: asyncio.subprocess.Process, position: int) -> None:
    """Wait until the process has printed a position of at least `position`."""
    assert process.stdout is not None
    async with asyncio.timeout(TIMEOUT):
        while line := await process.stdout.readline():
            if int(line) >= position:
                return
    raise AssertionError(f"the follower ended before position {position}")


async def events_of(store: OpenStore) -> list[tuple[int, str]]:
    return [(recorded.position, recorded.header.event_id) async for recorded in store.events()]


@pytest.mark.parametrize(
    ("moment", "times"), [("before", 1), ("between", 2), ("after", 1)], ids=["before", "between", "after"]
)
async def test_only_the_event_whose_position_was_not_saved_is_repeated(
    tmp_path: Path, moment: str, times: int
) -> None:
    follower = Follower(tmp_path)
    async with ledgerpress.open_store(follower.data, features=[]) as store:
        for number in range(3):
            await store.execute(CreatePost(title=f"Tide {number}", publish=True))
        head = await store.head()
        process = await follower.start(head - 2, moment)
        async with asyncio.timeout(TIMEOUT):
            await process.communicate()
        assert process.returncode == -signal.SIGKILL
        await follower.finish(head)
        assert follower.handled() == await events_of(store)
        counts = Counter(follower.effect_positions())
        assert counts == dict.fromkeys(range(1, head + 1), 1) | {head - 2: times}


async def test_a_follower_that_is_killed_at_random_moments_under_load_handles_every_event(
    tmp_path: Path,
) -> None:
    follower, random = Follower(tmp_path), Random(7)
    async with ledgerpress.open_store(follower.data, features=[]) as store:
        reached = 0
        for _ in range(KILLS):
            process = await follower.start()
            writing = asyncio.create_task(write(store))
            await position_of(process, reached + random.randint(1, 2 * POSTS))
            process.kill()
            await process.communicate()
            await writing
            reached = follower.handled()[-1][0]
        await follower.finish(await store.head())
        assert follower.handled() == await events_of(store)
        # Outside the transaction, only the event that was being handled during the kill may be repeated.
        effects = follower.effect_positions()
        assert (effects[0], effects[-1]) == (1, await store.head())
        assert {after - before for before, after in pairwise(effects)} <= {0, 1}


async def write(store: OpenStore) -> None:
    for number in range(POSTS):
        await store.execute(CreatePost(title=f"Tide {number}", publish=True))
