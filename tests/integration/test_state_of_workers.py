"""What is shared between the workers of a server process: rates, documents, metrics, readiness, event streams."""

import asyncio
import hashlib
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.server_process import Server, Servers
from tests.integration.sse_client import opened
from tests.integration.worker_processes import (
    kill,
    until_replaced,
    worker_at,
    workers_of,
)

pytestmark = pytest.mark.slow

WORKERS: Final = 3
QUERY: Final = "{ site { name } }"
NAMED: Final = {"site": {"name": None}}
CREATE: Final = 'mutation { postCreate(input: { title: "T", publish: true }) { position } }'
QUERIES: Final = "ledgerpress_requests_total", "query", "200"
STREAM: Final = "/graphql/stream"
TOKEN: Final = "X-GraphQL-Event-Stream-Token"
COUNT: Final = {
    "query": "subscription { recentPosts { totalCount } }",
    "extensions": {"operationId": "count"},
}
PERSISTED: Final = {"version": 1, "sha256Hash": hashlib.sha256(QUERY.encode()).hexdigest()}


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[Servers]:
    async with Servers(tmp_path) as started:
        yield started


async def start(servers: Servers, tmp_path: Path, **settings: str) -> Server:
    servers.environment = {**servers.environment, **settings}
    return await servers.start(tmp_path / "data", "--workers", str(WORKERS))


@asynccontextmanager
async def clients_of(server: Server) -> AsyncIterator[dict[int, httpx2.AsyncClient]]:
    """Yield a client of each worker, by the process id of the worker. Each has a connection of its own."""
    host, port = await server.address()
    clients: dict[int, httpx2.AsyncClient] = {}
    async with AsyncExitStack() as stack:
        async with asyncio.timeout(30):
            while clients.keys() != workers_of(server):
                client = httpx2.AsyncClient(base_url=f"http://{host}:{port}", timeout=20)
                await stack.enter_async_context(client)
                async with client.stream("GET", "/health/live") as response:
                    connection: Any = response.extensions["network_stream"]
                    address = connection.get_extra_info("client_addr")
                    await response.aread()
                clients.setdefault(worker_at(server, address), client)
        yield clients


async def samples(client: httpx2.AsyncClient) -> dict[tuple[str, ...], float]:
    response = await client.get("/metrics")
    assert response.status_code == 200, response.text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


async def test_every_worker_reports_the_metrics_of_all_and_counts_never_fall(
    servers: Servers, tmp_path: Path
) -> None:
    server = await start(servers, tmp_path)
    async with clients_of(server) as clients:
        for client in clients.values():
            for _ in range(2):
                assert (await client.post("/graphql", json={"query": QUERY})).status_code == 200
        for client in clients.values():
            metrics = await samples(client)
            assert metrics[QUERIES] == 2 * WORKERS
            assert metrics["ledgerpress_request_duration_seconds_count", "query"] == 2 * WORKERS
            assert metrics["ledgerpress_workers", "running"] == WORKERS
            assert sum(key[0] == "process_resident_memory_bytes" for key in metrics) == WORKERS
        victim, *others = clients
        kill(victim)
        await until_replaced(server, {victim}, WORKERS)
        for number, other in enumerate(others):
            metrics = await samples(clients[other])
            assert metrics[QUERIES] == 2 * WORKERS + number, "the killed worker has answered two of them"
            await clients[other].post("/graphql", json={"query": QUERY})
    former = workers_of(server)
    server.signal(signal.SIGHUP)
    await until_replaced(server, former, WORKERS)
    async with clients_of(server) as clients:
        for client in clients.values():
            assert (await samples(client))[QUERIES] == 2 * WORKERS + WORKERS - 1


async def test_a_rate_limit_counts_for_all_workers_and_outlives_each(
    servers: Servers, tmp_path: Path
) -> None:
    server = await start(
        servers,
        tmp_path,
        LEDGERPRESS_HTTP_REQUESTS_PER_SECOND="0.001",
        LEDGERPRESS_HTTP_BURST_SECONDS="10000",
    )
    async with clients_of(server) as clients:
        statuses = [
            (await client.post("/graphql", json={"query": QUERY})).status_code
            for _ in range(4)
            for client in clients.values()
        ]
        assert statuses == [200] * 10 + [429] * 2
        victim = next(iter(clients))
        kill(victim)
    await until_replaced(server, {victim}, WORKERS)
    async with clients_of(server) as clients:
        for client in clients.values():
            assert (await client.post("/graphql", json={"query": QUERY})).status_code == 429


async def test_a_document_that_is_registered_with_one_worker_is_known_to_all(
    servers: Servers, tmp_path: Path
) -> None:
    server = await start(servers, tmp_path)
    by_hash = {"extensions": {"persistedQuery": PERSISTED}}
    async with clients_of(server) as clients:
        first, *others = clients.values()
        unknown = await first.post("/graphql", json=by_hash)
        assert unknown.json()["errors"][0]["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"
        await first.post("/graphql", json={"query": QUERY, **by_hash})
        for client in others:
            assert (await client.post("/graphql", json=by_hash)).json()["data"] == NAMED
        kill(next(iter(clients)))
        assert (await others[0].post("/graphql", json=by_hash)).json()["data"] == NAMED


async def test_requests_of_an_event_stream_reach_the_worker_that_holds_it(
    servers: Servers, tmp_path: Path
) -> None:
    server = await start(servers, tmp_path)
    async with clients_of(server) as clients:
        in_order = list(clients.values())
        for shift in range(WORKERS):
            reserving, opening, starting = in_order[shift:] + in_order[:shift]
            headers = {TOKEN: (await reserving.put(STREAM)).text}
            assert (await starting.put(STREAM, headers=headers)).status_code == 409
            async with opened(opening, "GET", STREAM, None, headers) as stream:
                assert stream.status == 200
                again = await starting.get(STREAM, headers={**headers, "Accept": "text/event-stream"})
                assert again.status_code == 409
                assert (await starting.post(STREAM, json=COUNT, headers=headers)).status_code == 202
                count = (await stream.next()).data["payload"]["data"]["recentPosts"]["totalCount"]
                assert "errors" not in (await starting.post("/graphql", json={"query": CREATE})).json()
                event = (await stream.next()).data
                assert event["id"] == "count"
                assert event["payload"]["data"]["recentPosts"]["totalCount"] == count + 1
                stop = await reserving.delete(f"{STREAM}?operationId=count", headers=headers)
                assert stop.status_code == 200
            async with asyncio.timeout(20):  # the holder learns of the end of the connection
                while (await starting.post(STREAM, json=COUNT, headers=headers)).status_code != 404:  # noqa: ASYNC110 - only requests show it
                    await asyncio.sleep(0.01)


async def test_an_event_stream_ends_if_the_worker_that_holds_it_is_killed(
    servers: Servers, tmp_path: Path
) -> None:
    server = await start(servers, tmp_path)
    async with clients_of(server) as clients:
        (holder, reserving), (_, opening), _ = clients.items()
        headers = {TOKEN: (await reserving.put(STREAM)).text}
        async with opened(opening, "GET", STREAM, None, headers) as stream:
            kill(holder)
            assert await stream.rest() == []
        response = await opening.post(STREAM, json=COUNT, headers=headers)
        assert response.status_code == 404
        assert response.json()["errors"][0]["extensions"]["code"] == "NOT_FOUND"
        assert (await opening.put(STREAM, headers=headers)).status_code == 201


async def test_readiness_is_that_of_all_workers(servers: Servers, tmp_path: Path) -> None:
    server = await start(servers, tmp_path, LEDGERPRESS_WORKER_HANG_SECONDS="300")
    async with clients_of(server) as clients:
        for client in clients.values():
            assert (await client.get("/health/ready")).json()["status"] == "ready"
        stopped, *others = clients
        kill(stopped, signal.SIGSTOP)
        for other in others:
            response = await clients[other].get("/health/ready")
            assert (response.status_code, response.json()["status"]) == (503, "hanging")
            assert (await clients[other].get("/health/live")).status_code == 200
            assert (await samples(clients[other]))["ledgerpress_workers", "hanging"] == 1
        kill(stopped, signal.SIGKILL)
        await until_replaced(server, {stopped}, WORKERS)
        async with asyncio.timeout(20):
            while (await clients[others[0]].get("/health/ready")).status_code != 200:  # noqa: ASYNC110 - only requests show it
                await asyncio.sleep(0.01)
