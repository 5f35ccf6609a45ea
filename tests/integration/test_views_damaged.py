"""Views that are damaged while a server uses them: coded errors, no readiness, and a rebuild without a restart."""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Final

import pytest

from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost
from ledgerpress.server.log_url import LOCAL
from ledgerpress.server.process.background_rebuild import rebuild_in_background
from ledgerpress.server.store import open_store
from tests.integration.production_application import OPERATOR, Operated, operated
from tests.integration.server_process import Servers
from tests.property.view_rows import views_in_use

PAGE: Final = 4_096
POSTS: Final = 40
TIMEOUT: Final = 60.0
CREATE: Final = "mutation ($title: String!) { postCreate(input: {title: $title}) { position viewsBehind post { title } } }"


def query(number: int) -> str:
    """Return a query that reads rows of all posts. The number makes it another document, which is not cached."""
    return f"query Q{number} {{ posts(first: 100) {{ nodes {{ title body {{ markdown }} }} }} }}"


def damage_bodies(views: Path) -> None:
    """Damage only the first page of the table of bodies."""
    with closing(sqlite3.connect(f"file:{views}?mode=ro", uri=True)) as db:
        ((page,),) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'body'")
    with views.open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(os.urandom(PAGE))


def damage_header(views: Path) -> None:
    with views.open("r+b") as file:
        file.write(os.urandom(100))


def damage_all_pages_but_the_first(views: Path) -> None:
    with views.open("r+b") as file:
        file.seek(PAGE)
        file.write(os.urandom(views.stat().st_size - PAGE))


def truncate(views: Path) -> None:
    os.truncate(views, PAGE)


def empty(views: Path) -> None:
    os.truncate(views, 0)


def damage_write_ahead_log(views: Path) -> None:
    log = Path(f"{views}-wal")
    with log.open("r+b") as file:
        file.write(os.urandom(log.stat().st_size))


def truncate_write_ahead_log(views: Path) -> None:
    os.truncate(f"{views}-wal", 32)


@pytest.fixture(scope="module")
def store_with_posts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("store") / "data"

    async def create() -> None:
        async with open_store(data) as store:
            for number in range(POSTS):
                await store.commands.handle(CreatePost(title=f"Post {number}", body="word " * 2_000))

    asyncio.run(create())
    return data


@pytest.fixture
def data(store_with_posts: Path, tmp_path: Path) -> Path:
    return shutil.copytree(store_with_posts, tmp_path / "data")


@asynccontextmanager
async def serving(data: Path) -> AsyncIterator[Operated]:
    """Run an application that rebuilds its views in a thread, as an embedded server does."""
    async with operated(data) as server:
        rebuilding = asyncio.create_task(rebuild_in_background(data, LOCAL, None))
        try:
            yield server
        finally:
            rebuilding.cancel()
            await asyncio.wait([rebuilding])


async def readiness(server: Operated) -> dict[str, Any]:
    response = await server.http.get("/health/ready", headers=OPERATOR)
    body: dict[str, Any] = response.json()
    assert (response.status_code == 200) == (body["status"] == "ready")
    return body


async def cause_failure(server: Operated, damage: Callable[[Path], None], views: Path) -> None:
    """Damage the views, and send requests until one fails."""
    if "write_ahead_log" in damage.__name__:
        assert (await server.post(CREATE, OPERATOR, title="In the write-ahead log")).status_code == 200
    damage(views)
    for attempt in range(100):
        response = await server.post(query(attempt), OPERATOR)
        body = response.json()
        if response.status_code == 503:
            assert [error["extensions"]["code"] for error in body["errors"]] == ["VIEWS_UNAVAILABLE"]
            assert response.headers["retry-after"] == "1"
            return
        assert (response.status_code, "errors" in body) == (200, False), body
        # A connection caches pages until a process changes the file. A recorded command is not reported as failed.
        created = (await server.post(CREATE, OPERATOR, title=f"Attempt {attempt}")).json()
        assert created["data"]["postCreate"]["position"], created
    pytest.fail("no request failed")


@pytest.mark.parametrize(
    "damage",
    [
        damage_bodies,
        damage_header,
        damage_all_pages_but_the_first,
        truncate,
        empty,
        damage_write_ahead_log,
        truncate_write_ahead_log,
    ],
)
async def test_damaged_views_are_rebuilt_without_a_restart(
    data: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    damaged = views_in_use(data)
    async with serving(data) as server:
        await cause_failure(server, damage, damaged)
        report = await readiness(server)
        assert report["status"] == "unreadable"
        assert damaged.name in report["notices"][0]
        metrics = (await server.http.get("/metrics", headers=OPERATOR)).text
        assert "ledgerpress_views_readable 0.0" in metrics
        if damage is damage_bodies:
            assert (await server.post("{ site { name } }")).status_code == 200
        async with asyncio.timeout(TIMEOUT):
            while (await readiness(server))["status"] != "ready":  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert views_in_use(data) != damaged
        assert not damaged.exists()
        response = await server.post(query(0), OPERATOR)
        assert len(response.json()["data"]["posts"]["nodes"]) >= POSTS
        created = (await server.post(CREATE, OPERATOR, title="Afterwards")).json()
        assert created["data"]["postCreate"]["post"] == {"title": "Afterwards"}
        metrics = (await server.http.get("/metrics", headers=OPERATOR)).text
        assert "ledgerpress_views_readable 1.0" in metrics
        assert "ledgerpress_views_damaged_total 1.0" in metrics
    texts = [record.getMessage() for record in caplog.records]
    assert len([text for text in texts if "is damaged: " in text]) == 1, texts
    assert not any("paused at position" in text for text in texts), texts


async def test_a_server_process_rebuilds_damaged_views_and_does_not_pause_projections(
    data: Path, tmp_path: Path
) -> None:
    """A write that finds the damage does not mean that the projector is wrong."""
    damaged = views_in_use(data)
    async with Servers(tmp_path) as servers:
        server = await servers.start(data)
        async with await server.connect() as client:
            damage_bodies(damaged)
            created = await client.answer(CREATE, title="A new body")
            assert created[1]["data"]["postCreate"]["position"], created
            async with asyncio.timeout(TIMEOUT):
                while (await client.answer(query(0)))[0] == 503 or views_in_use(data) == damaged:  # noqa: ASYNC110
                    await asyncio.sleep(0.2)
        await server.ready()
        async with await server.connect() as client:
            assert len((await client.answer(query(1)))[1]["data"]["posts"]["nodes"]) == POSTS + 1
        words = server.words()
        assert "paused at position" not in words
        assert "Traceback" not in words
