"""Each process logs once that projections are paused, why and what to do, and once that they continue."""

import asyncio
from pathlib import Path

import pytest

from ledgerpress.eventlog.codec import Codec, EventType, Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event, withdrawn
from ledgerpress.eventlog.log import NO_STREAM, StreamWrite
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost
from ledgerpress.features.registry import EVENT_TYPES
from ledgerpress.features.site.commands import NameSite
from ledgerpress.server.store import Store, open_store
from tests.integration.failing_projectors import running, sparkled, store_in, with_failing
from tests.integration.test_projections import PostSparkled
from tests.property.view_rows import views_in_use

LOGGER = "ledgerpress.views.projection.pause_logging"


def texts(caplog: pytest.LogCaptureFixture, level: str) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.name == LOGGER and record.levelname == level
    ]


async def wait_until(store: Store, *, paused: bool) -> None:
    async with asyncio.timeout(20):
        while any(point.is_paused for point in store.checkpoints.values()) is not paused:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_an_unknown_event_is_logged_once_for_all_projections(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = tmp_path / "data"
    async with store_in(data) as store:
        head = (await store.commands.handle(CreatePost(title="Tide mill"))).position
        await store.log.append([StreamWrite("post.sparks", NO_STREAM, (sparkled(),))])
        await wait_until(store, paused=True)
        await store.commands.handle(NameSite(name="The Tide"))
        await store.commands.handle(NameSite(name="The Ebb"))
        (text,) = texts(caplog, "ERROR")
        assert text.startswith(f"paused at position {head + 1} (event type post.sparkled): projection ")
        assert all(name in text for name in store.checkpoints)
        assert "post.sparkled version 1 is unknown" in text
        assert "ledgerpress projection skip NAME" in text
        newer = Codec(
            [*(EventType(*entry) for entry in EVENT_TYPES), EventType("post.sparkled", 1, PostSparkled)],
            withdrawn,
        )
        async with running(store.log, views_in_use(data), codec=newer) as upgraded:
            await upgraded.catch_up()
        await wait_until(store, paused=False)
        assert len(texts(caplog, "ERROR")) == 1
        (text,) = texts(caplog, "WARNING")
        assert text.startswith("no longer paused: projection ")


async def test_a_failing_projector_is_logged_with_its_exception_and_again_only_after_a_resume(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    failing = True

    def fails(recorded: Recorded[Event]) -> bool:
        return failing and recorded.header.type == "site.named"

    async with open_store(tmp_path / "data", projectors=with_failing("people", fails)) as store:
        position = (await store.commands.handle(NameSite(name="The Tide"))).position
        await wait_until(store, paused=True)
        await store.commands.handle(CreatePost(title="Tide mill"))
        (text,) = texts(caplog, "ERROR")
        assert text.startswith(f"paused at position {position} (event type site.named): projection people.")
        assert "ValueError: this cannot be" in text
        assert "this cannot be" in caplog.text.partition("Traceback")[2]
        await store.views.resume("people")
        await wait_until(store, paused=True)
        async with asyncio.timeout(20):
            while len(texts(caplog, "ERROR")) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        failing = False
        await store.views.resume("people")
        assert await store.views.wait_for(await store.log.head(), 20)
        assert len(texts(caplog, "ERROR")) == 2
        assert len(texts(caplog, "WARNING")) == 2


async def test_a_start_with_a_pause_logs_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = tmp_path / "data"
    async with open_store(data) as store:
        await store.commands.handle(NameSite(name="The Tide"))
    for file in data.glob("views*"):
        file.unlink()
    projectors = with_failing("people", lambda recorded: recorded.header.type == "site.named")
    for starts in (1, 2):
        async with open_store(data, projectors=projectors) as store:
            assert store.checkpoints["people"].is_paused
        assert len(texts(caplog, "ERROR")) == starts
