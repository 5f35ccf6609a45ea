"""After withdrawals, the rows of the views in use equal those of a rebuild, and nothing but text is lost."""

import asyncio
import logging
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledgerpress.adapters.sqlite_log.event_log import SqliteEventLog
from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.commands.errors import Rejection
from ledgerpress.eventlog.event_and_withdrawn_event import Withdrawn
from ledgerpress.eventlog.log import EventLog
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost, EditPost
from ledgerpress.features.registry import all_projectors, event_codec
from ledgerpress.operator import withdraw
from ledgerpress.operator.withdraw import NEVER_WITHDRAWN, withdraw_payload
from ledgerpress.server.data_directory import LOG_FILE
from ledgerpress.server.store import Store, open_store
from ledgerpress.views.files.views_file_connections import ViewsFile
from ledgerpress.views.projection.projector_interface_and_composition import Projector
from tests.fixed_sources import SeededBytes, SetClock
from tests.property.test_views import EXAMPLES
from tests.property.test_withdrawals import WRITTEN, whole_day
from tests.property.view_rows import Rows, rebuilt, rows_of, views_in_use

TEXT_TABLES: Final = {"actor_name", "author_slug", "author_state", "body", "category_state", "category_slug", "command", "content",
                      "correction", "correction_text", "page_slug", "page_text", "post_slug", "public_page", "site_menu",
                      "site_page_draft", "site_state", "token"}  # fmt: skip
"""The tables with rows that contain text."""


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Hide the log lines about the faults of the whole day."""
    caplog.set_level(logging.CRITICAL, "ledgerpress")


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data directory with the events of a day."""
    data = tmp_path_factory.mktemp("day") / "data"
    asyncio.run(whole_day(data))
    return data


@pytest.fixture
def rebuilt_projections(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list of the names of all projections that withdrawals rebuild."""
    names: list[str] = []
    finish = ViewsFile.finish_erasure

    def record(views: ViewsFile, db: sqlite3.Connection, began_at: int, rebuilt: Sequence[Projector]) -> None:
        names.extend(projector.name for projector in rebuilt)
        finish(views, db, began_at, rebuilt)

    monkeypatch.setattr(ViewsFile, "finish_erasure", record)
    return names


async def withdraw_in_log(log: EventLog, position: int) -> int:
    """Withdraw from the log only; return the position of the record, or 0 if the payload cannot be withdrawn."""
    (event,) = await log.read(position - 1, 1)
    if event.header.type in NEVER_WITHDRAWN or event.payload is None:
        return 0
    randomness = SeededBytes(f"withdrawal of {position}")
    request = CommandRequest(reason="Order 7/24 of the district court.")
    return await withdraw_payload(log, event_codec(), SetClock(), randomness, position, request)


async def compare(data: Path, groups: Sequence[set[int]], batch_size: int) -> tuple[Rows, Rows]:
    """Withdraw each group at once, with commands in between; return the rows of the live and of rebuilt views."""
    async with open_store(
        data, clock=SetClock(), randomness=SeededBytes("rows"), batch_size=batch_size
    ) as store:
        for number, group in enumerate(groups):
            record = 0
            for position in sorted(group):
                record = max(record, await withdraw_in_log(store.log, position))
            assert await store.views.wait_for(record, 30)
            await _edit_every_post(store, number)
        assert await store.views.wait_for(await store.log.head(), 30)
        live = rows_of(views_in_use(data))
    log = await SqliteEventLog.open(data / LOG_FILE, create_as=None)
    try:
        assert live == await rebuilt(log, data.parent / "rebuilt.sqlite", batch_size=7)
        return live, await rebuilt(log, data.parent / "at-once.sqlite", batch_size=10_000)
    finally:
        await log.aclose()


async def _edit_every_post(store: Store, number: int) -> None:
    streams = {event.header.stream for event in await store.log.read(0, 10_000)}
    for stream in sorted(stream for stream in streams if stream.startswith("post.")):
        try:
            command = EditPost(
                post_id=stream.removeprefix("post."),
                title=f"Fog {number}",
                slug=f"fog-{stream[-12:]}-{number}",
            )
            await store.commands.handle(command)
        except Rejection:
            continue


def test_live_rows_equal_rebuilt_rows_after_any_withdrawals(day: Path) -> None:
    size = asyncio.run(_size(day))

    @settings(max_examples=EXAMPLES // 4, deadline=None, print_blob=True)
    @example([set(range(1, size + 1))], 500)
    @example([{position} for position in range(1, size + 1, 3)], 1)
    @given(
        st.lists(st.sets(st.integers(1, size), min_size=1, max_size=12), min_size=1, max_size=4),
        st.sampled_from((1, 3, 20, 500)),
    )
    def holds(groups: list[set[int]], batch_size: int) -> None:
        with TemporaryDirectory() as folder:
            data = Path(folder) / "data"
            shutil.copytree(day, data)
            live, again = asyncio.run(compare(data, groups, batch_size))
            assert live == again

    holds()


async def _size(data: Path) -> int:
    async with open_store(data) as store:
        return await store.log.head()


def test_a_withdrawal_of_any_event_changes_only_rows_with_text(
    day: Path, tmp_path: Path, rebuilt_projections: list[str]
) -> None:
    async def holds() -> None:
        data = tmp_path / "data"
        shutil.copytree(day, data)
        async with open_store(data, clock=SetClock(), randomness=SeededBytes("rows")) as store:
            before, size = rows_of(views_in_use(data)), await store.log.head()
            for position in range(1, size + 1):
                record = await withdraw_in_log(store.log, position)
                assert await store.views.wait_for(record, 30)
            after = rows_of(views_in_use(data))
            events = event_codec().decode_all(await store.log.read(0, 10_000))
        assert rebuilt_projections == []
        before["change"], after["change"] = ([row[:-1] for row in rows["change"]] for rows in (before, after))
        # Instead of its content, an article gets what was public before.
        before["article"], after["article"] = (
            [(*row[:3], *row[4:]) for row in rows["article"]] for rows in (before, after)
        )
        for table in before.keys() - TEXT_TABLES - {"projection"}:
            assert set(before[table]) <= set(after[table]), table
        texts = repr(after)
        assert [text for text in WRITTEN if text in texts] == []
        withdrawn = [recorded.event for recorded in events if isinstance(recorded.event, Withdrawn)]
        assert len(withdrawn) > size / 2
        assert [event.type for event in withdrawn if event.remaining is None] == []

    asyncio.run(holds())


def test_after_a_withdrawal_that_records_no_remainder_the_views_are_rebuilt(
    day: Path, tmp_path: Path, rebuilt_projections: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records of version 1 contain no remainder: what was known after such a withdrawal stays the same."""
    monkeypatch.setattr(withdraw, "_remainder", lambda _codec, _event: None)
    shutil.copytree(day, tmp_path / "data")
    asyncio.run(compare(tmp_path / "data", [{9, 10, 11, 12, 20}], 20))
    assert set(rebuilt_projections) == {projector.name for projector in all_projectors()}


async def test_on_each_engine_live_rows_equal_rebuilt_rows(
    tmp_path: Path, log_url: str, rebuilt_projections: list[str]
) -> None:
    data = tmp_path / "data"
    async with open_store(data, log=log_url, clock=SetClock(), randomness=SeededBytes("rows")) as store:
        for number in range(3):
            command = CreatePost(title=f"Heron {number}", body=f"They nest on bank {number}.", publish=True)
            await store.commands.handle(command)
        await _edit_every_post(store, 1)
        for position in range(1, await store.log.head() + 1):
            record = await withdraw_in_log(store.log, position)
            assert await store.views.wait_for(record, 30)
        rows = rows_of(views_in_use(data))
        assert rows == await rebuilt(store.log, tmp_path / "rebuilt.sqlite", batch_size=4)
    assert rebuilt_projections == []
    assert [text for text in ("Heron", "bank", "fog-", "Fog") if text in repr(rows)] == []
