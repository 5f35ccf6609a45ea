"""Where `ledgerpress serve` listens, who may reach it by which name, and how a signal ends its start."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from ledgerpress.retry import poll
from ledgerpress.server.process.sockets import AddressTaken, begin_to_listen, bound_to_path
from tests.integration.server_process import EVERYONE_IS_ADMIN, PROGRAM, Server, Servers
from tests.integration.test_client_failures import lines
from tests.integration.test_logs import base


async def _has_ended(server: Server) -> bool | None:
    return None if server.is_running else True


async def test_a_unix_socket_is_replaced_only_if_no_process_uses_it(tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    with closing(socket.socket(socket.AF_UNIX)) as abandoned:
        abandoned.bind(str(path))
    async with Servers(tmp_path) as servers:
        options = ("--unix-socket", str(path))
        server = await servers.launch(tmp_path / "data", *options)
        transport = httpx2.AsyncHTTPTransport(uds=str(path))
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:

            async def answers() -> bool | None:
                try:
                    return (await http.get("/health/live")).status_code == 200
                except httpx2.TransportError:
                    return None

            assert await poll(answers, interval=0.05, timeout=60)
            response = await http.post("/graphql", json={"query": "{ __typename }"})
            assert response.json()["data"] == {"__typename": "Query"}
            second = await servers.launch(tmp_path / "data", *options)
            assert await poll(partial(_has_ended, second), interval=0.05, timeout=60)
            assert "another program is using this Unix socket" in second.words()
            assert await answers()
        assert await server.stop() == 0
        assert not path.exists()
        path.write_text("my notes")
        third = await servers.launch(tmp_path / "data", *options)
        assert await poll(partial(_has_ended, third), interval=0.05, timeout=60)
        assert "it is not a Unix socket" in third.words()
        assert path.read_text() == "my notes"


async def test_a_starting_server_notices_that_another_one_has_replaced_its_unix_socket(
    tmp_path: Path,
) -> None:
    path = tmp_path / "web.sock"
    with bound_to_path(path) as first, bound_to_path(path) as second:
        with pytest.raises(AddressTaken, match="another program is using this address"):
            begin_to_listen(first)
        begin_to_listen(second)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
    assert not path.exists()


async def test_a_dual_stack_listener_recognises_an_ipv4_proxy(tmp_path: Path) -> None:
    environment = {
        "LEDGERPRESS_TRUSTED_PROXIES": "127.0.0.1",
        "LEDGERPRESS_ALLOWED_HOSTS": "news.example.org",
        "LEDGERPRESS_HTTP_ANONYMOUS_REQUESTS_PER_SECOND": "0.001",
        "LEDGERPRESS_HTTP_BURST_SECONDS": "2000",
    }
    async with Servers(tmp_path, environment) as servers:
        server = await servers.launch(tmp_path / "data", "--profile", "production", "--host", "::")
        async with asyncio.timeout(60):
            while "http://[::]:" not in (words := server.output.read_text("utf-8")):
                assert server.is_running, words
                await asyncio.sleep(0.05)
        port = words.split("http://[::]:")[1].split("/")[0]
        headers = {"Host": "news.example.org"}
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as http:
            statuses = []
            for client in ("203.0.113.1", "203.0.113.1", "203.0.113.1", "203.0.113.2", "::ffff:203.0.113.2"):
                response = await http.post(
                    "/graphql", json={"query": "{ __typename }"}, headers={"X-Forwarded-For": client}
                )
                statuses.append(response.status_code)
            assert statuses == [200, 200, 429, 200, 200]
            # Clients without a proxy have their IPv4 address, and probes may use any name for the server.
            for host in ("10.1.2.3:8000", "127.0.0.1", "evil.example"):
                for path in ("/health/live", "/health/ready"):
                    assert (await http.get(path, headers={"Host": host})).status_code == 200
                assert (await http.get("/", headers={"Host": host})).status_code == 400
        assert await server.stop() == 0
        clients = {line["client"] for line in lines(server) if line.get("path") == "/health/live"}
        assert clients == {"127.0.0.1"}


@pytest.fixture
async def development(tmp_path: Path) -> AsyncIterator[Server]:
    async with Servers(tmp_path, EVERYONE_IS_ADMIN) as servers:
        yield await servers.start(tmp_path / "data")


async def test_pages_of_the_same_machine_are_allowed_in_development(development: Server) -> None:
    url = await base(development)
    async with httpx2.AsyncClient(base_url=url) as http:
        for origin, is_allowed in (
            ("http://localhost:5173", True),
            ("http://127.0.0.1:3000", True),
            ("https://evil.example", False),
            ("http://localhost.evil.example", False),
        ):
            response = await http.post(
                "/graphql", json={"query": "{ __typename }"}, headers={"Origin": origin}
            )
            assert response.headers.get("access-control-allow-origin") == (origin if is_allowed else None)
            preflight = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            response = await http.options("/graphql", headers=preflight)
            assert response.status_code == (204 if is_allowed else 403)
            socket = connect(
                f"ws{url.removeprefix('http')}/graphql",
                subprotocols=[Subprotocol("graphql-transport-ws")],
                additional_headers={"Origin": origin},
            )
            if is_allowed:
                async with socket:
                    pass
            else:
                with pytest.raises(InvalidStatus, match="403"):
                    await socket
        # A page on the internet whose name points to this machine (DNS rebinding)
        for origin in ("http://evil.example", "http://localhost:5173"):
            headers = {"Host": "evil.example", "Origin": origin}
            response = await http.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
            assert response.status_code == 400
        details = (await http.get("/health/ready", headers={"Host": "evil.example"})).json()
        assert "views" not in details
        assert "views" in (await http.get("/health/ready")).json()
    assert await development.stop() == 0
    words = development.words().splitlines()
    assert len(words) == 4, words  # a socket and a preflight request of two origins
    assert all(line.startswith("warning: ") for line in words)


STEPS = {"while modules are imported": "_socket", "when the store is created": "_sqlite3", "later": "uvloop"}
"""Libraries that a starting program loads, in this order."""


async def _has_loaded(library: str, process_id: int) -> bool | None:
    try:
        return True if library in Path(f"/proc/{process_id}/maps").read_text("utf-8") else None  # noqa: ASYNC240 - not a disk
    except OSError:
        return True  # the process has ended


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("step", STEPS)
async def test_a_signal_during_the_start_prints_no_traceback(
    step: str, number: signal.Signals, tmp_path: Path
) -> None:
    async with Servers(tmp_path) as servers:
        server = await servers.launch(tmp_path / "data", "--demo")
        assert await poll(partial(_has_loaded, STEPS[step], server.pid), interval=0.001, timeout=60)
        assert await server.stop(number) in {0, 130, -number}
        assert "Traceback" not in server.words()


@pytest.mark.parametrize("arguments", [("demo",), ("rebuild",), ("events", "export")], ids=" ".join)
async def test_a_signal_ends_every_command_without_a_traceback(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, *arguments, "--data", tmp_path / "data",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert await poll(partial(_has_loaded, "_sqlite3", process.pid), interval=0.001, timeout=60)
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    output, _ = await process.communicate()
    assert b"Traceback" not in output
