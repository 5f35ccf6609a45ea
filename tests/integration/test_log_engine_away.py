"""A real server of each engine is stopped under real nodes, and started again; and nodes are started without it."""

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
    answer = await ask(http, TITLES)
    assert answer.status_code == 200, answer.text
    return [node["title"] for node in answer.json()["data"]["posts"]["nodes"]]


async def says(http: httpx2.AsyncClient, **wanted: Any) -> dict[str, Any]:
    """Wait until the node says so of its readiness."""
    async with asyncio.timeout(SECONDS):
        while True:
            found: dict[str, Any] = (await http.get("/health/ready")).json()
            if wanted.items() <= found.items():
                return found
            await asyncio.sleep(0.02)


async def test_nodes_go_on_reading_while_the_engine_is_stopped_and_catch_up_after(
    engine: Stoppable, tmp_path: Path
) -> None:
    async with nodes(engine, tmp_path) as servers:
        one, two = await servers.start(tmp_path / "one"), await servers.start(tmp_path / "two")
        async with client(one) as http, client(two) as other:
            before = (await ask(http, CREATE, title="Before")).json()["data"]["postCreate"]
            await asyncio.to_thread(engine.stop)
            away = await says(http, log="unreachable", status="behind")
            assert away["head"] >= before["position"]
            assert away["unreachableSince"].endswith("Z")
            refused = await ask(http, CREATE, title="Meanwhile")
            assert refused.status_code == 503, refused.text
            assert [error["extensions"] for error in refused.json()["errors"]] == [
                {"code": "LOG_UNAVAILABLE"}
            ]
            assert await titles(http) == ["Before"]
            assert "ledgerpress_log_reachable 0.0" in (await http.get("/metrics")).text
            await asyncio.to_thread(engine.start)
            await says(http, log="reachable", status="ready")
            after = (await ask(http, CREATE, title="After")).json()["data"]["postCreate"]
            assert after["post"] == {"title": "After"}
            seen = {"LedgerPress-Min-Position": str(after["position"])}
            await says(other, log="reachable", status="ready")
            answer = await other.post("/graphql", json={"query": TITLES}, headers=seen)
            assert [node["title"] for node in answer.json()["data"]["posts"]["nodes"]] == ["After", "Before"]
        lines = one.words().splitlines()
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
            await says(http, log="unreachable")
            await socket.subscribe(CREATED, "begun meanwhile", after=0)
            await socket.subscribe(CREATE, "mutation", title="Meanwhile")
            message = await socket.receive()
            assert (message["id"], message["type"]) == ("mutation", "error"), message
            assert message["payload"][0]["extensions"]["code"] == "LOG_UNAVAILABLE"
            await asyncio.to_thread(engine.start)
            await says(http, log="reachable", status="ready")
            assert (await socket.receive())["id"] == "begun meanwhile"
            position = (await ask(http, CREATE, title="After")).json()["data"]["postCreate"]["position"]
            told = {(await socket.receive())["id"] for _ in range(2)}
            assert told == {"created", "begun meanwhile"}
            assert position > 0


async def test_status_shows_what_a_node_has_that_is_cut_off(engine: Stoppable, tmp_path: Path) -> None:
    async with nodes(engine, tmp_path) as servers:
        node, new = tmp_path / "node", tmp_path / "new"
        server = await servers.start(node)
        async with client(server) as http:
            position = (await ask(http, CREATE, title="Before")).json()["data"]["postCreate"]["position"]
        assert await server.stop() == 0
    ask_for = ("status", "--json", "--log", engine.url("daily"), "--data")
    there = json.loads(await done(*ask_for, node))
    assert (there["head"], there["log"]["unreachable"]) == (position, None)
    await asyncio.to_thread(engine.stop)
    away = await program(*ask_for, node)
    assert (away.code, "cannot be reached" in away.err) == (3, True), away
    found = json.loads(away.out)
    assert "cannot be reached" in found["log"].pop("unreachable")
    assert (found.pop("head"), found.pop("publication")) == (None, there["publication"])
    assert found["site"] == there["site"]
    for before, after in zip(there["projections"], found["projections"], strict=True):
        assert after == {**before, "lag": None, "lagSeconds": None}
    seen = await program("status", "--log", engine.url("daily"), "--data", node)
    assert (seen.code, f"{position:,}" in seen.out, "unknown" in seen.out) == (3, True, True), seen
    nothing = await program(*ask_for, new)
    assert (nothing.code, nothing.out) == (3, "")
    assert "cannot be reached" in nothing.err


async def test_a_node_that_starts_first_waits_for_its_engine(engine: Stoppable, tmp_path: Path) -> None:
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


async def test_a_node_gives_up_on_an_engine_that_does_not_come(engine: Stoppable, tmp_path: Path) -> None:
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
