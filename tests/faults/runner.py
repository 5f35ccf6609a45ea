"""Runs a cell of the fault matrix: a real server, a real log and a real fault."""

import asyncio
import secrets
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from ledgerpress.retry import poll
from ledgerpress.server.process.stop_signals import CLOSE_SECONDS
from tests.faults.cells import Cell, Fault
from tests.faults.components import Component, component
from tests.integration.server_process import EVERYONE_IS_ADMIN, Server, Servers
from tests.integration.test_log_engine_away import TITLES, ask, client, wait_for_readiness

STOP_SECONDS: Final = 2
"""The setting `server.stop_seconds` of the servers."""
SLACK_SECONDS: Final = 6.0
"""Seconds that a slow machine may need in addition to a promised time."""
WAIT_SECONDS: Final = 60.0
CREATE: Final = """mutation ($title: String!, $body: String!) {
  postCreate(input: {title: $title, body: $body}) { position }
}"""
BODY_BYTES: Final = 100_000


async def run_cell(cell: Cell, directory: Path) -> str:
    """Cause the fault of `cell` at its moment, check what the server does, and return the outcome.

    Raises `AssertionError` if the server, its readiness, its metrics, its logging or its recovery differ from `cell`.
    """
    environment = {
        **EVERYONE_IS_ADMIN,
        "LEDGERPRESS_STOP_SECONDS": str(STOP_SECONDS),
        "LEDGERPRESS_LOG_WAIT_SECONDS": "60",
    }
    async with (
        component(cell.fault.engine, cell.fault.name) as log,
        Servers(directory, environment) as servers,
    ):
        node = _Node(servers, log, directory / "node", cell.fault)
        match cell.moment:
            case "start":
                return await node.start_with_fault(cell.outcome)
            case "read":
                return await node.read_with_fault()
            case "write":
                return await node.write_with_fault()
            case "stop":
                return await node.stop_with_fault()


class _Node:
    def __init__(self, servers: Servers, log: Component, data: Path, fault: Fault) -> None:
        self._servers = servers
        self._log = log
        self._data = data
        self._fault = fault

    async def start_with_fault(self, expected: str) -> str:
        async with self._serving() as (server, _):
            assert await server.stop() == 0
        await self._log.begin(self._fault.name, None)
        server = await self._launch()
        if expected == "waits":
            await _until(lambda: not server.is_running or "retrying for up to" in server.words())
            await self._log.end(self._fault.name)
        await _until(lambda: not server.is_running or "/graphql" in server.output.read_text("utf-8"))
        if not server.is_running:
            words = server.words()
            assert any(line.startswith("ledgerpress: ") for line in words.splitlines()), words
            assert "Traceback" not in words, words
            return f"exit {await server.ended()}"
        return expected if expected == "waits" else "starts"

    async def read_with_fault(self) -> str:
        async with self._serving() as (server, http):
            await self._log.begin(self._fault.name, server.pid)
            if self._fault.noticed_by == "check":
                await wait_for_readiness(http, status=self._fault.readiness)
            response = await ask(http, TITLES)
            await self._log.end(self._fault.name)
            return "views" if response.status_code == 200 else _code(response)

    async def write_with_fault(self) -> str:
        async with self._serving() as (server, http):
            await self._log.begin(self._fault.name, server.pid)
            if self._fault.noticed_by != "write":
                await self._wait_until_noticed(http)
            outcome = _code(await _create(http, "Meanwhile"))
            await self._wait_until_noticed(http)
            await _until(lambda: self._fault.message in server.words())
            assert (await ask(http, TITLES)).status_code == (
                503 if self._fault.readiness == "replaced" else 200
            )
            await self._log.end(self._fault.name)
            if self._fault.recovery != "restart the server":
                await wait_for_readiness(http, status="ready", failing=[])
                assert await _failing(http) == set()
                assert _code(await _create(http, "After")) == "recorded"
        return outcome

    async def stop_with_fault(self) -> str:
        async with self._serving() as (server, http):
            await self._log.begin(self._fault.name, server.pid)
            writing = asyncio.create_task(_create(http, "Meanwhile"))
            # The server reads the mutation before these.
            for _ in range(3):
                await ask(http, TITLES)
            server.signal(signal.SIGTERM)
            await _until(
                lambda: not server.is_running or "ends without closing the store" in server.words(),
                seconds=STOP_SECONDS + CLOSE_SECONDS + SLACK_SECONDS,
            )
            if self._fault.holds_threads:
                await self._log.end(self._fault.name)
            code = await server.ended()
            writing.cancel()
            await asyncio.wait([writing])
            return f"exit {code}"

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[tuple[Server, httpx2.AsyncClient]]:
        server = await self._launch()
        await server.ready()
        async with client(server) as http:
            assert _code(await _create(http, "Before")) == "recorded"
            yield server, http

    async def _launch(self) -> Server:
        return await self._servers.launch(self._data, "--log", self._log.url)

    async def _wait_until_noticed(self, http: httpx2.AsyncClient) -> None:
        readiness = await wait_for_readiness(
            http, status=self._fault.readiness, failing=list(self._fault.failing)
        )
        assert readiness["notices"], readiness
        assert await _failing(http) == set(self._fault.failing)


async def _until(condition: Callable[[], bool], seconds: float = WAIT_SECONDS) -> None:
    """Wait until a condition is true. Raises `AssertionError` after `seconds`."""

    async def is_true() -> bool | None:
        return condition() or None

    assert await poll(is_true, interval=0.02, timeout=seconds)


async def _create(http: httpx2.AsyncClient, title: str) -> httpx2.Response:
    """Create a post with a body that needs space: it is random, so that no engine can compress it."""
    return await ask(http, CREATE, title=title, body=secrets.token_hex(BODY_BYTES // 2))


async def _failing(http: httpx2.AsyncClient) -> set[str]:
    """Return the operations that fail according to the metrics."""
    text = (await http.get("/metrics")).text
    return {
        sample.labels["operation"]
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "ledgerpress_log_failing" and sample.value
    }


def _code(response: httpx2.Response) -> str:
    """Return the code of the first error in a response; "recorded" if there is none."""
    body: dict[str, Any] = response.json()
    if "errors" not in body:
        return "recorded"
    code: str = body["errors"][0]["extensions"]["code"]
    assert response.status_code == (503 if code == "LOG_UNAVAILABLE" else response.status_code), response.text
    return code
