"""Requests with `Upgrade`: an upgrade that the server does not support is ignored (RFC 9110, 7.8)."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.integration.server_process import EVERYONE_IS_ADMIN, Server, Servers

QUERY = json.dumps({"query": "{ __typename }"}).encode()
DATA = b'{"data":{"__typename":"Query"}'
HTTP2 = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAA\r\n"
"""What Java's HTTP client sends with its first request."""


def request(
    upgrade: bytes, body: bytes = QUERY, *, method: bytes = b"POST", version: bytes = b"1.1"
) -> bytes:
    return (
        method
        + b" /graphql HTTP/"
        + version
        + b"\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        + upgrade
        + b"Content-Length: %d\r\n\r\n" % len(body)
        + body
    )


async def response(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Return the status and the body of the next response, skipping interim responses."""
    async with asyncio.timeout(20):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            status = int(head.split()[1])
            if status >= 200:
                break
        length = int(head.split(b"content-length:")[1].split()[0])
        return status, await reader.readexactly(length)


@asynccontextmanager
async def connected(server: Server) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*await server.address())
    try:
        yield reader, writer
    finally:
        writer.close()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with Servers(tmp_path, EVERYONE_IS_ADMIN) as servers:
        server = await servers.start(tmp_path / "data")
        yield server
        assert server.words() == ""


UPGRADES = {
    "Java's HTTP client": HTTP2,
    "two headers": b"Connection: Upgrade\r\nConnection: HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n",
    "TLS": b"Connection: upgrade\r\nUpgrade: TLS/1.0\r\n",
    "several protocols": b"Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n",
    "a protocol in two headers": b"Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n",
    "without Connection": b"Upgrade: h2c\r\n",
    "a WebSocket with POST": b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
    "keep-alive": b"Connection: keep-alive, Upgrade\r\nUpgrade: h2c\r\n",
}


async def test_unsupported_upgrades_are_ignored(server: Server) -> None:
    for name, upgrade in UPGRADES.items():
        async with connected(server) as (reader, writer):
            for _ in range(2):  # the connection stays open
                writer.write(request(upgrade))
                status, body = await response(reader)
                assert (status, body.startswith(DATA)) == (200, True), name
            writer.write(request(b""))
            assert (await response(reader))[0] == 200, name


async def test_the_body_of_a_request_with_an_upgrade_may_arrive_in_any_form(server: Server) -> None:
    large = json.dumps({"query": "{ __typename }" + " " * 90_000}).encode()
    async with connected(server) as (reader, writer):
        whole = request(HTTP2, large)
        for cut in (1, 40, whole.index(b"\r\n\r\n") + 2, whole.index(b"\r\n\r\n") + 4, len(whole) - 1):
            writer.write(whole[:cut])
            await writer.drain()
            async with connected(server) as (others, other):
                other.write(request(b""))  # so the server has read the first part
                assert (await response(others))[0] == 200
            writer.write(whole[cut:])
            assert (await response(reader))[0] == 200, cut
        head = request(HTTP2).partition(b"Content-Length")[0]
        writer.write(head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(QUERY), QUERY))
        assert (await response(reader))[1].startswith(DATA)
        writer.write(request(HTTP2 + b"Expect: 100-continue\r\n")[: -len(QUERY)])
        async with asyncio.timeout(20):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        writer.write(QUERY)
        assert (await response(reader))[1].startswith(DATA)


async def test_pipelined_requests_with_an_upgrade_are_all_answered(server: Server) -> None:
    count = 600  # more in one piece of data than Python's recursion limit allows
    get = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
    async with connected(server) as (reader, writer):
        writer.write(get * count + request(HTTP2))
        for _ in range(count):
            assert (await response(reader))[0] == 200
        assert (await response(reader))[1].startswith(DATA)


async def test_http_1_0_and_connect_do_not_upgrade(server: Server) -> None:
    async with connected(server) as (reader, writer):
        writer.write(request(HTTP2, version=b"1.0"))
        assert (await response(reader))[1].startswith(DATA)
    for target in (b"localhost:443", b"/graphql"):
        async with connected(server) as (reader, writer):
            writer.write(b"CONNECT %b HTTP/1.1\r\nHost: localhost:443\r\n\r\n" % target)
            async with asyncio.timeout(20):
                assert (await reader.read()).split()[1] in {b"400", b"405"}


async def test_the_head_is_passed_on_unchanged(server: Server) -> None:
    """A folded header or one with many bytes must not become another header when the upgrade is ignored."""
    async with connected(server) as (reader, writer):
        writer.write(request(HTTP2 + b"X-Folded: a\r\n b\r\nX-Bytes: \xff\xe4\r\n"))
        assert (await response(reader))[0] in {200, 400}


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_curl_may_offer_http_2(server: Server, tmp_path: Path) -> None:
    host, port = await server.address()
    (tmp_path / "body").write_bytes(json.dumps({"query": "{ __typename }" + " " * 900_000}).encode())
    for body in (QUERY.decode(), f"@{tmp_path / 'body'}"):
        process = await asyncio.create_subprocess_exec(
            "curl", "-sS", "--http2", "-H", "Content-Type: application/json", "-H", "Expect: 100-continue",
            "--data-binary", body, f"http://{host}:{port}/graphql", stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, _ = await process.communicate()
        assert output.startswith(DATA), output
