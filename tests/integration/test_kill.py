"""Servers are killed at random moments during concurrent writes: acknowledged commands stay, and none is incomplete."""

import asyncio
import os
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

import pytest

from ledgerpress.adapters.sqlite_log.event_log import SqliteEventLog
from ledgerpress.features.actors.model import FIRST_EVENT_COUNT
from ledgerpress.server.data_directory import LOG_FILE
from tests.integration.editor_clients import Book, Editor
from tests.integration.log_history import History, assert_gapless, by_command, recorded
from tests.integration.server_process import Server, Servers
from tests.property.view_rows import Rows, rebuilt, rows_of, views_in_use

EDITORS: Final = 12
KILLS: Final = int(os.environ.get("LEDGERPRESS_TEST_KILLS") or 8)
LONGEST_RUN_SECONDS: Final = 0.8
LONGEST_START_SECONDS: Final = 1.5


@dataclass
class Tally:
    """Counts of kills, and of commands without a response."""

    kills: int = 0
    kills_at_start: int = 0
    unanswered: int = 0
    recorded: int = 0
    """The number of commands without a response that were recorded nevertheless."""


@dataclass
class Survey:
    """The log and the views on disk, which are compared with the sent commands after each restart of the servers."""

    data: Path
    book: Book
    history: History = field(default_factory=list)

    async def check(self) -> set[str]:
        """Fail unless the log is complete and has all acknowledged commands, and the views match it.

        Return the idempotency keys of the commands in the log.
        """
        self.history += await recorded(self.data, after=len(self.history))
        assert_gapless(self.history)
        keys = self.book.check(by_command(self.history[FIRST_EVENT_COUNT:]))
        await self._compare("followed", batch_size=1)
        return keys

    async def check_from_scratch(self) -> None:
        """Check the files again, with a new copy of the history and new views."""
        assert await recorded(self.data) == self.history
        for batch_size in (1, 10_000):
            await self._compare(f"rebuilt-{batch_size}", batch_size=batch_size)
        for file in (self.data / LOG_FILE, views_in_use(self.data)):
            with closing(sqlite3.connect(file)) as db:
                assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

    async def _compare(self, name: str, *, batch_size: int) -> None:
        log = await SqliteEventLog.open(self.data / LOG_FILE, create_as=None)
        try:
            expected = await rebuilt(log, self.data.parent / f"{name}.sqlite", batch_size=batch_size)
        finally:
            await log.aclose()
        assert tables_that_differ(rows_of(views_in_use(self.data)), expected) == []


def tables_that_differ(actual: Rows, expected: Rows) -> list[str]:
    return [
        name for name in sorted(actual.keys() | expected.keys()) if actual.get(name) != expected.get(name)
    ]


@pytest.mark.parametrize(
    ("processes", "kills"), [(1, KILLS), (2, KILLS)], ids=["one process", "two processes"]
)
async def test_a_kill_loses_nothing_acknowledged_and_leaves_nothing_incomplete(
    tmp_path: Path, processes: int, kills: int
) -> None:
    seed = int(os.environ.get("LEDGERPRESS_TEST_SEED") or time.time_ns())
    print(f"LEDGERPRESS_TEST_SEED={seed} repeats the same commands and moments")  # noqa: T201
    random, tally, data, book = Random(seed), Tally(), tmp_path / "data", Book()
    editors = [Editor(f"Editor {number}", book, Random(random.random())) for number in range(EDITORS)]
    survey = Survey(data, book)
    async with Servers(tmp_path) as servers:
        running = await start(servers, data, processes)
        while tally.kills < kills:
            unanswered = await work_until_all_are_killed(editors, running, random, tally)
            if random.random() < 0.25:
                await kill_while_starting(servers, data, random, tally)
            running = await start(servers, data, processes)
            tally.unanswered += len(unanswered)
            tally.recorded += len(unanswered & await survey.check())
        print(f"{len(book.positions)} acknowledged, {len(survey.history)} events, {tally}")  # noqa: T201
        assert len(book.positions) > 10 * kills
        assert 0 < tally.recorded < tally.unanswered

        async with await running[0].connect() as client:
            for editor in editors:
                await editor.make_sure(client)
                await editor.look(client)
        await survey.check()
        await survey.check_from_scratch()
        for server in running:
            assert await server.stop() == 0
            assert server.words() == ""


async def start(servers: Servers, data: Path, processes: int) -> list[Server]:
    """Start `processes` servers together, and wait until they are ready."""
    launched = [await servers.launch(data) for _ in range(processes)]
    return [await server.ready() for server in launched]


async def work_until_all_are_killed(
    editors: list[Editor], running: list[Server], random: Random, tally: Tally
) -> set[str]:
    """Let all editors work, and kill the servers one by one. An editor whose server is killed continues with another.

    Return the idempotency keys of the commands without a response.
    """
    left = list(running)

    async def work(editor: Editor) -> None:
        while left:
            await editor.work(random.choice(left))

    async with asyncio.TaskGroup() as all_work:
        for editor in editors:
            all_work.create_task(work(editor))
        while left:
            await asyncio.sleep(random.uniform(0.02, LONGEST_RUN_SECONDS))
            victim = left.pop(random.randrange(len(left)))
            await victim.kill()
            assert victim.words() == ""
            tally.kills += 1
    return {editor.pending.key for editor in editors if editor.pending is not None}


async def kill_while_starting(servers: Servers, data: Path, random: Random, tally: Tally) -> None:
    """Start a server, and kill it before it is ready or soon after."""
    server = await servers.launch(data)
    await asyncio.sleep(random.uniform(0, LONGEST_START_SECONDS))
    await server.kill()
    tally.kills_at_start += 1
