"""Real servers of each engine are stopped and started under running nodes; nodes also start without them."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from tests.engines.stoppable_servers import ELSEWHERE, Stoppable
from tests.integration.program_runs import done, program
from tests.integration.server_process import EVERYONE_IS_ADMIN, Server, Servers
from tests.integration.websocket_client import websocket

GRAPHQL: Final = {"Accept": "application/graphql-response+json"}
CREATE: Final = (
    "mutation ($title: String!) { postCreate(input: {title: $title}) { position post { title } } }"
)
TITLES: Final = "{ posts(first: 10) { nodes { title } } }"
CREATED: Final = """subscription ($after: Position) {
  changes(fromPosition: $after, filter: {types: ["post.created"]}) { position reason }
}"""
SECONDS: Final = 60.0


@pytest.fixture(params=ELSEWHERE)
def engine(request: pytest.FixtureRequest) -> Iterator[Stoppable]:
    with ELSEWHERE[request.param]() as server:
        yield server


@asynccontextmanager
async def nodes(engine: Stoppable, tmp_path: Path, **settings: str) -> AsyncIterator[Servers]:
    environment = {**EVERYONE_IS_ADMIN, "LEDGERPRESS_LOG": engine.url("daily"), **settings}
    async with Servers(tmp_path, environment) as servers:
        yield servers


@asynccontextmanager
async def client(server: Server) -> AsyncIterator[httpx2.AsyncClient]:
    host, port = await server.address()
    async with httpx2.AsyncClient(base_url=f"http://{host}:{port}", headers=GRAPHQL, timeout=SECONDS) as http:
        yield http


async def ask(http: httpx2.AsyncClient, query: str, **variables: Any) -> httpx2.Response:
    return await http.post("/graphql", json={"query": query, "variables": variables})


async def titles(http: httpx2.AsyncClient) -> list[str]:
    response = await ask(http, TITLES)
    assert response.status_code == 200, response.text
    return [node["title"] for node in response.json()["data"]["posts"]["nodes"]]


async def wait_for_readiness(http: httpx2.AsyncClient, **fields: Any) -> dict[str, Any]:
    """Wait until the readiness of the node has these fields, and return it."""
    async with asyncio.timeout(SECONDS):
        while True:
            readiness: dict[str, Any] = (await http.get("/health/ready")).json()
            if fields.items() <= readiness.items():
                return readiness
            await asyncio.sleep(0.02)


async def test_nodes_serve_reads_while_the_engine_is_stopped_and_catch_up_later(
    engine: Stoppable, tmp_path: Path
) -> None:
    async with nodes(engine, tmp_path) as servers:
        first, second = await servers.start(tmp_path / "one"), await servers.start(tmp_path / "two")
        async with client(first) as http, client(second) as other:
            before = (await ask(http, CREATE, title="Before")).json()["data"]["postCreate"]
            await asyncio.to_thread(engine.stop)
            readiness = await wait_for_readiness(http, log="unreachable", status="behind")
            assert readiness["head"] >= before["position"]
            assert readiness["unreachableSince"].endswith("Z")
            rejection = await ask(http, CREATE, title="Meanwhile")
            assert rejection.status_code == 503, rejection.text
            assert [error["extensions"] for error in rejection.json()["errors"]] == [
                {"code": "LOG_UNAVAILABLE"}
            ]
            assert await titles(http) == ["Before"]
            assert "ledgerpress_log_reachable 0.0" in (await http.get("/metrics")).text
            await asyncio.to_thread(engine.start)
            await wait_for_readiness(http, log="reachable", status="ready")
            after = (await ask(http, CREATE, title="After")).json()["data"]["postCreate"]
            assert after["post"] == {"title": "After"}
            headers = {"LedgerPress-Min-Position": str(after["position"])}
            await wait_for_readiness(other, log="reachable", status="ready")
            response = await other.post("/graphql", json={"query": TITLES}, headers=headers)
            assert [node["title"] for node in response.json()["data"]["posts"]["nodes"]] == [
                "After",
                "Before",
            ]
        lines = first.words().splitlines()
        assert len([line for line in lines if "cannot be reached" in line]) == 1, lines
        assert len([line for line in lines if "reached again" in line]) == 1, lines


async def test_subscribers_stay_while_the_engine_is_stopped(engine: Stoppable, tmp_path: Path) -> None:
    async with nodes(engine, tmp_path) as servers:
        server = await servers.start(tmp_path / "node")
        async with client(server) as http, websocket(*await server.address()) as socket:
            await socket.init()
            await socket.subscribe(CREATED, "created", after=0)
            await ask(http, CREATE, title="Before")
            await socket.next()
            await asyncio.to_thread(engine.stop)
            await wait_for_readiness(http, log="unreachable")
            await socket.subscribe(CREATED, "begun meanwhile", after=0)
            await socket.subscribe(CREATE, "mutation", title="Meanwhile")
            message = await socket.receive()
            assert (message["id"], message["type"]) == ("mutation", "error"), message
            assert message["payload"][0]["extensions"]["code"] == "LOG_UNAVAILABLE"
            await asyncio.to_thread(engine.start)
            await wait_for_readiness(http, log="reachable", status="ready")
            assert (await socket.receive())["id"] == "begun meanwhile"
            position = (await ask(http, CREATE, title="After")).json()["data"]["postCreate"]["position"]
            subscriptions = {(await socket.receive())["id"] for _ in range(2)}
            assert subscriptions == {"created", "begun meanwhile"}
            assert position > 0


async def test_status_reports_the_views_of_a_node_without_its_log(engine: Stoppable, tmp_path: Path) -> None:
    async with nodes(engine, tmp_path) as servers:
        node, new = tmp_path / "node", tmp_path / "new"
        server = await servers.start(node)
        async with client(server) as http:
            position = (await ask(http, CREATE, title="Before")).json()["data"]["postCreate"]["position"]
        assert await server.stop() == 0
    status_command = ("status", "--json", "--log", engine.url("daily"), "--data")
    connected_status = json.loads(await done(*status_command, node))
    assert (connected_status["head"], connected_status["log"]["unreachable"]) == (position, None)
    await asyncio.to_thread(engine.stop)
    result = await program(*status_command, node)
    assert (result.code, "cannot be reached" in result.err) == (3, True), result
    status = json.loads(result.out)
    assert "cannot be reached" in status["log"].pop("unreachable")
    assert (status.pop("head"), status.pop("publication")) == (None, connected_status["publication"])
    assert status["site"] == connected_status["site"]
    for before, after in zip(connected_status["projections"], status["projections"], strict=True):
        assert after == {**before, "lag": None, "lagSeconds": None}
    text_result = await program("status", "--log", engine.url("daily"), "--data", node)
    assert (text_result.code, f"{position:,}" in text_result.out, "unknown" in text_result.out) == (
        3,
        True,
        True,
    ), text_result
    new_result = await program(*status_command, new)
    assert (new_result.code, new_result.out) == (3, "")
    assert "cannot be reached" in new_result.err


async def test_a_node_that_starts_before_its_engine_waits(engine: Stoppable, tmp_path: Path) -> None:
    engine.stop()
    async with nodes(engine, tmp_path) as servers:
        server = await servers.launch(tmp_path / "node")
        async with asyncio.timeout(SECONDS):
            while "retrying for up to" not in server.words():
                assert server.is_running, server.words()
                await asyncio.sleep(0.02)
        await asyncio.to_thread(engine.start)
        await server.ready()
        async with client(server) as http:
            assert (await ask(http, CREATE, title="One")).json()["data"]["postCreate"]["post"] == {
                "title": "One"
            }


async def test_a_node_exits_if_its_engine_does_not_start(engine: Stoppable, tmp_path: Path) -> None:
    engine.stop()
    async with nodes(engine, tmp_path, LEDGERPRESS_LOG_WAIT_SECONDS="0.5") as servers:
        server = await servers.launch(tmp_path / "node")
        async with asyncio.timeout(SECONDS):
            while server.is_running:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.02)
        assert await server.ended() == 3
        last = server.words().splitlines()[-1]
        assert "cannot be reached" in last
        assert "check that its server is running" in last
    assert not (tmp_path / "node").exists()
