"""Servers are killed at random moments under concurrent writes: what was acknowledged stays, and nothing is half done."""

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

from ledgerpress.adapters.sqlite.log import SqliteEventLog
from ledgerpress.adapters.sqlite.views import views_path
from ledgerpress.application.opening import FIRST_EVENTS
from ledgerpress.compose import LOG_FILE
from ledgerpress.projections.all import every_projector
from tests.integration.editors import Book, Editor
from tests.integration.history import History, assert_gapless, by_command, recorded
from tests.integration.server import Server, Servers
from tests.property.view_rows import Rows, rebuilt, rows_of

EDITORS: Final = 12
LONGEST_RUN_SECONDS: Final = 0.8
LONGEST_START_SECONDS: Final = 1.5


@dataclass
class Tally:
    """What the killing has come to."""

    kills: int = 0
    kills_at_start: int = 0
    under_way: int = 0
    under_way_and_recorded: int = 0


@dataclass
class Survey:
    """What was found on the disk so far, compared with what was sent, each time the servers are up again."""

    data: Path
    book: Book
    history: History = field(default_factory=list)

    async def check(self) -> None:
        """Fail unless the log is whole and holds what was acknowledged, and the views follow from it."""
        self.history += await recorded(self.data, after=len(self.history))
        assert_gapless(self.history)
        self.book.check(by_command(self.history[FIRST_EVENTS:]))
        await self._compare("followed", batch_size=1)

    async def check_from_nothing(self) -> None:
        """Do so with nothing that is known from before."""
        assert await recorded(self.data) == self.history
        for batch_size in (1, 10_000):
            await self._compare(f"rebuilt-{batch_size}", batch_size=batch_size)
        for file in (self.data / LOG_FILE, views_path(self.data, every_projector())):
            with closing(sqlite3.connect(file)) as db:
                assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

    async def _compare(self, name: str, *, batch_size: int) -> None:
        log = await SqliteEventLog.open(self.data / LOG_FILE, create_as=None)
        try:
            wanted = await rebuilt(log, self.data.parent / f"{name}.sqlite", batch_size=batch_size)
        finally:
            await log.aclose()
        assert tables_that_differ(rows_of(views_path(self.data, every_projector())), wanted) == []


def tables_that_differ(found: Rows, wanted: Rows) -> list[str]:
    return [name for name in sorted(found.keys() | wanted.keys()) if found.get(name) != wanted.get(name)]


@pytest.mark.serial
@pytest.mark.parametrize(("processes", "kills"), [(1, 26), (2, 12)], ids=["one process", "two processes"])
async def test_a_kill_loses_nothing_acknowledged_and_leaves_nothing_half_done(
    tmp_path: Path, processes: int, kills: int
) -> None:
    seed = int(os.environ.get("LEDGERPRESS_TEST_SEED") or time.time_ns())
    print(f"LEDGERPRESS_TEST_SEED={seed}")
    random, tally, data = Random(seed), Tally(), tmp_path / "data"
    book = Book()
    editors = [Editor(f"Editor {number}", book, Random(random.random())) for number in range(EDITORS)]
    survey = Survey(data, book)
    async with Servers(tmp_path) as servers:
        running = await start(servers, data, processes)
        while tally.kills < kills:
            await work_until_all_are_killed(editors, running, random, tally)
            if random.random() < 0.25:
                await kill_while_starting(servers, data, random, tally)
            running = await start(servers, data, processes)
            await survey.check()
            book_keys = survey_keys(survey)
            tally.under_way_and_recorded += sum(
                editor.pending is not None and editor.pending.key in book_keys for editor in editors
            )
