"""A server whose views cannot be written: the log accepts commands, the views catch up later, and operators are informed."""

import asyncio
import resource
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from ledgerpress.server.log_url import LOCAL
from ledgerpress.server.storage_metrics import StorageMetrics
from ledgerpress.sqlite import connection
from ledgerpress.sqlite.connection import size_of_write_ahead_log
from ledgerpress.views.files import damage_and_write_ahead_log_checks as checks
from ledgerpress.views.files.views_health import ViewsUnavailable
from tests.integration.production_application import OPERATOR, Operated, operated
from tests.integration.server_process import Servers
from tests.property.view_rows import views_in_use

TIMEOUT: Final = 60.0
CREATE: Final = "mutation ($title: String!) { postCreate(input: {title: $title}) { position viewsBehind post { title } } }"
COUNT: Final = "{ posts { totalCount } }"


async def metrics(http: httpx2.AsyncClient) -> dict[tuple[str, ...], float]:
    response = await http.get("/metrics", headers=OPERATOR)
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


async def readiness(http: httpx2.AsyncClient) -> dict[str, Any]:
    body: dict[str, Any] = (await http.get("/health/ready", headers=OPERATOR)).json()
    return body


async def create(server: Operated, title: str) -> dict[str, Any]:
    payload: dict[str, Any] = (await server.post(CREATE, OPERATOR, title=title)).json()["data"]["postCreate"]
    return payload


async def test_the_views_catch_up_when_the_disk_has_space_again(tmp_path: Path) -> None:
    """A limit on the size of files stands for the full disk: the write-ahead log of the views reaches it first."""
    async with Servers(tmp_path, {"LEDGERPRESS_ANONYMOUS_ROLE": "admin"}) as servers:
        server = await servers.start(tmp_path / "data")
        host, port = await server.address()
        async with httpx2.AsyncClient(base_url=f"http://{host}:{port}", timeout=TIMEOUT) as http:

            async def post(title: str) -> dict[str, Any]:
                body = {"query": CREATE, "variables": {"title": title}}
                response: dict[str, Any] = (await http.post("/graphql", json=body)).json()
                payload: dict[str, Any] = response["data"]["postCreate"]
                return payload

            assert not (await post("Before"))["viewsBehind"]
            full = size_of_write_ahead_log(views_in_use(tmp_path / "data"))
            assert full > size_of_write_ahead_log(tmp_path / "data" / "log.sqlite") + 50_000
            resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))
            payload = await post("Recorded all the same")
            assert (payload["viewsBehind"], payload["post"]) == (True, None)
            assert payload["position"]
            report = await readiness(http)
            assert report["status"] == "behind"
            assert "cannot be written" in report["notices"][0]
            values = await metrics(http)
            assert values["ledgerpress_views_writable",] == 0
            assert values["ledgerpress_views_readable",] == 1
            resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
            await server.ready()
            response = (await http.post("/graphql", json={"query": COUNT})).json()
            assert response["data"]["posts"]["totalCount"] == 2
            assert (await metrics(http))["ledgerpress_views_writable",] == 1
        words = server.words()
        assert words.count("the views cannot follow the log and stay at position") == 1
        assert words.count("the views follow the log again, at position") == 1


@asynccontextmanager
async def locked(views: Path) -> AsyncIterator[None]:
    """Hold the lock for writing, as another program may."""
    with closing(sqlite3.connect(views, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        yield
        db.execute("ROLLBACK")


async def test_the_views_catch_up_when_another_process_releases_its_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BUSY_TIMEOUT", 0.5)
    async with operated(tmp_path) as server:
        async with locked(views_in_use(tmp_path)):
            payload = await create(server, "Recorded all the same")
            assert (payload["viewsBehind"], payload["post"]) == (True, None)
            assert (await server.post(COUNT, OPERATOR)).json()["data"]["posts"]["totalCount"] == 0
            async with asyncio.timeout(TIMEOUT):
                while "notices" not in (report := await readiness(server.http)):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            assert "cannot be written: database is locked" in report["notices"][0]
            assert server.store.views.health.unreadable is None
        assert await server.store.views.wait_for(payload["position"], TIMEOUT)
        assert (await server.post(COUNT, OPERATOR)).json()["data"]["posts"]["totalCount"] == 1


async def test_reads_fail_at_once_while_a_lock_prevents_them(tmp_path: Path) -> None:
    """SQLite waits up to 10 s for some locks, and the whole process with it. So only the first read may wait."""
    async with operated(tmp_path) as server:
        server.store.views.health.read_failed(locked_error())
        response = await server.post(COUNT, OPERATOR)
        assert response.status_code == 503
        assert response.json()["errors"][0]["extensions"] == {"code": "VIEWS_UNAVAILABLE"}
        assert (await server.http.get("/")).status_code == 503
        payload = await create(server, "Recorded all the same")
        assert payload["position"]
        async with asyncio.timeout(TIMEOUT):
            while (await readiness(server.http))["status"] == "unreadable":  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert (await server.post(COUNT, OPERATOR)).json()["data"]["posts"]["totalCount"] == 1


def locked_error() -> sqlite3.Error:
    """Return the error of a read that waited for a lock."""
    shared = "file:lock?mode=memory&cache=shared"
    with (
        closing(sqlite3.connect(shared, uri=True, isolation_level=None)) as first,
        closing(sqlite3.connect(shared, uri=True)) as second,
    ):
        first.execute("CREATE TABLE a (a)")
        first.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.Error) as raised:
            second.execute("SELECT * FROM a")
        return raised.value


async def test_a_long_read_does_not_prevent_emptying_the_write_ahead_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = 2_000_000
    monkeypatch.setattr(checks, "MAX_WRITE_AHEAD_LOG", limit)
    monkeypatch.setattr(checks, "MAX_READ_SECONDS", 0.0)
    monkeypatch.setattr(checks, "SIZE_CHECK_INTERVAL", 0.05)
    async with operated(tmp_path) as server:
        StorageMetrics(server.store, tmp_path, LOCAL).register(server.running.metrics)
        views = views_in_use(tmp_path)
        with pytest.raises(ViewsUnavailable, match="open for too long"):
            await read_for_long(server, views, limit)
        # A read of another process cannot be ended; it is reported, and the log shrinks when it ends.
        with closing(sqlite3.connect(f"file:{views}?mode=ro", uri=True, isolation_level=None)) as other:
            other.execute("BEGIN")
            other.execute("SELECT count(*) FROM post").fetchone()
            await grow(server, views, limit)
            async with asyncio.timeout(TIMEOUT):
                while "notices" not in (report := await readiness(server.http)):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            assert "a read that stays open prevents emptying it" in report["notices"][0]
            assert report["status"] == "ready"
        await wait_until_small(views, limit)
        values = await metrics(server.http)
        assert values["ledgerpress_file_bytes", "views"] == views.stat().st_size
        assert values["ledgerpress_file_bytes", "log"] == (tmp_path / "log.sqlite").stat().st_size
        assert values["ledgerpress_disk_free_bytes", "views"] > 0


async def read_for_long(server: Operated, views: Path, limit: int) -> None:
    with server.store.snapshot() as snapshot:
        assert await grow(server, views, limit) > limit
        await wait_until_small(views, limit)
        snapshot.db.execute("SELECT count(*) FROM post").fetchone()


async def grow(server: Operated, views: Path, limit: int) -> int:
    """Create posts until the write-ahead log is larger than the limit; return its size."""
    async with asyncio.timeout(TIMEOUT):
        while (size := size_of_write_ahead_log(views)) <= limit:
            await create(server, "A post")
    return size


async def wait_until_small(views: Path, limit: int) -> None:
    async with asyncio.timeout(TIMEOUT):
        while size_of_write_ahead_log(views) > limit:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
