"""A server that is asked to stop answers what is under way, closes the store, and says that all is well."""

import asyncio
import signal
from pathlib import Path
from random import Random

import pytest

from ledgerpress.application.opening import FIRST_EVENTS
from ledgerpress.compose.data_directory import LOG_FILE
from tests.integration.editors import Book, Editor
from tests.integration.history import assert_gapless, by_command, recorded
from tests.integration.server import Servers

pytestmark = pytest.mark.serial


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stop_under_way_keeps_what_was_acknowledged(tmp_path: Path, number: signal.Signals) -> None:
    data, book = tmp_path / "data", Book()
    editors = [Editor(f"Editor {one}", book, Random(one)) for one in range(16)]
    async with Servers(tmp_path) as servers:
        server = await servers.start(data)
        async with asyncio.TaskGroup() as all_work:
            for editor in editors:
                all_work.create_task(editor.work(server))
            await asyncio.sleep(0.5)
            assert await server.stop(number) == 0
        assert server.words() == ""
    assert not (data / f"{LOG_FILE}-wal").exists()
    assert len(book.positions) > len(editors)
    events = await recorded(data)
    assert_gapless(events)
    book.check(by_command(events[FIRST_EVENTS:]))


async def test_a_request_that_never_ends_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    async with Servers(tmp_path) as servers:
        server = await servers.start(tmp_path / "data")
        async with await server.connect() as idle, await server.connect() as slow:
            assert await idle.get("/health/live") == 200
            await slow.send_part_of_a_request()
            assert await server.stop() == 0
