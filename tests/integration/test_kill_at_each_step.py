"""A store is created, used and closed, and the process is killed at each single write to its files."""

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

PROGRAM: Final = """
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
PARALLEL_RUNS: Final = 2


async def test_a_kill_at_any_write_to_the_log_is_harmless(tmp_path: Path) -> None:
    steps = [step async for step in killed_runs(tmp_path, LOG_FILE, every=1)]
    assert len(steps) > 40


async def test_kills_at_writes_to_the_views_are_harmless(tmp_path: Path) -> None:
    name = ViewsDirectory(tmp_path, all_projectors()).vacant().name
    steps = [step async for step in killed_runs(tmp_path, name, every=11)]
    assert len(steps) > 10


async def killed_runs(folder: Path, name: str, *, every: int) -> AsyncIterator[int]:
    """Kill the first run at its first write, the next run `every` writes later and so on, until a run completes."""
    require_strace()
    program = folder / "life.py"
    program.write_text(PROGRAM, "utf-8")
    first = 1
    while True:
        steps = range(first, first + PARALLEL_RUNS * every, every)
        ends = await asyncio.gather(*(run_until(program, folder / f"{step}", name, step) for step in steps))
        for step, (code, acknowledged) in zip(steps, ends, strict=True):
            await check(folder / f"{step}", acknowledged)
            if code == 0:
                return
            yield step
        first = steps[-1] + every


async def run_until(program: Path, data: Path, name: str, step: int) -> tuple[int, list[str]]:
    """Run the program on `data`, and kill it at write `step`. Return its exit code and the acknowledged titles."""
    files = [data / f"{name}{end}" for end in ("", "-wal", "-journal")] + [data / "views.new"]
    process = await asyncio.create_subprocess_exec(
        *killed_at(step, (sys.executable, program, data), *files),
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(60):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    assert process.returncode in {0, -signal.SIGKILL}
    return process.returncode, output.decode().split()


async def check(data: Path, acknowledged: list[str]) -> None:
    """Fail unless the store opens with all acknowledged posts and at most one more, all complete, and correct views."""
    async with open_store(data) as store:
        views = rows_of(views_in_use(data))
        assert await rebuilt(store.log, data.with_suffix(".views"), batch_size=1) == views
    events = await recorded(data)
    assert_gapless(events)
    commands = by_command(events[FIRST_EVENT_COUNT:])
    assert [len(command) for command in commands.values()] == [3] * len(commands)
    titles = [event.event.title for event in events if isinstance(event.event, PostCreated)]
    assert titles[: len(acknowledged)] == acknowledged
    assert len(titles) <= len(acknowledged) + 1
