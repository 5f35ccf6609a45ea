"""A store is made, used and closed, and the process is killed at each single write to its files on the way."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from ledgerpress.features.actors.model import FIRST_EVENT_COUNT
from ledgerpress.features.posts.model import PostCreated
from ledgerpress.features.registry import all_projectors
from ledgerpress.server.data_directory import LOG_FILE
from ledgerpress.server.store import open_store
from ledgerpress.views.files.views_directory import ViewsDirectory
from tests.integration.log_history import assert_gapless, by_command, recorded
from tests.integration.system_call_trace import killed_at, require_strace
from tests.property.view_rows import rebuilt, rows_of, views_in_use

pytestmark = pytest.mark.serial

LIFE: Final = """
import asyncio, sys
from pathlib import Path
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost
from ledgerpress.server.store import open_store

async def live(data):
    async with open_store(data) as store:
        for title in ("First", "Second"):
            await store.commands.handle(CreatePost(title=title, publish=True))
            print(title, flush=True)

asyncio.run(live(Path(sys.argv[1])))
"""
AT_ONCE: Final = 2


async def test_no_write_to_the_log_is_a_bad_moment(tmp_path: Path) -> None:
    steps = [step async for step in lives(tmp_path, LOG_FILE, every=1)]
    assert len(steps) > 40


async def test_no_write_to_the_views_is_a_bad_moment(tmp_path: Path) -> None:
    name = ViewsDirectory(tmp_path, all_projectors()).vacant().name
    steps = [step async for step in lives(tmp_path, name, every=11)]
    assert len(steps) > 10


async def lives(folder: Path, name: str, *, every: int) -> AsyncIterator[int]:
    """Kill one life at its first step, the next `every` steps later and so on, until one comes to its end."""
    require_strace()
    program = folder / "life.py"
    program.write_text(LIFE, "utf-8")
    step = 1
    while True:
        steps = range(step, step + AT_ONCE * every, every)
        ends = await asyncio.gather(*(life(program, folder / f"{one}", name, one) for one in steps))
        for one, (code, acknowledged) in zip(steps, ends, strict=True):
            await check(folder / f"{one}", acknowledged)
            if code == 0:
                return
            yield one
        step = steps[-1] + every


async def life(program: Path, data: Path, name: str, step: int) -> tuple[int, list[str]]:
    """Let a store live in `data` until the step; return the exit code, and the titles of the posts acknowledged."""
    files = [data / f"{name}{end}" for end in ("", "-wal", "-journal")] + [data / "views.new"]
    process = await asyncio.create_subprocess_exec(
        *killed_at(step, (sys.executable, program, data), *files),
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(60):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    assert process.returncode in {0, -signal.SIGKILL}
    return process.returncode, said.decode().split()


async def check(data: Path, acknowledged: list[str]) -> None:
    """Fail unless the store opens, with all posts acknowledged and at most one more, whole, and the right views."""
    async with open_store(data) as store:
        views = rows_of(views_in_use(data))
        assert await rebuilt(store.log, data.with_suffix(".views"), batch_size=1) == views
    events = await recorded(data)
    assert_gapless(events)
    commands = by_command(events[FIRST_EVENT_COUNT:])
    assert [len(command) for command in commands.values()] == [3] * len(commands)
    titles = [one.event.title for one in events if isinstance(one.event, PostCreated)]
    assert titles[: len(acknowledged)] == acknowledged
    assert len(titles) <= len(acknowledged) + 1
