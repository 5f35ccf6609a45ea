"""Limits of connections: request heads that are too large or too slow, too many connections, bodies that never arrive."""

import asyncio
import json
import re
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

from tests.integration.keep_alive_client import close_all
from tests.integration.server_process import EVERYONE_IS_ADMIN, PROGRAM, Server, Servers
from tests.integration.websocket_client import websocket

BEGINNING: Final = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n"
PIECE: Final = b"x" * 65_536


@asynccontextmanager
async def started(tmp_path: Path, **settings: str) -> AsyncIterator[Server]:
    """Start a server with settings; their names are the environment variables without the prefix, in lower case."""
    variables = {f"LEDGERPRESS_{name.upper()}": value for name, value in settings.items()}
    environment: Mapping[str, str] = {**EVERYONE_IS_ADMIN, **variables}
    async with Servers(tmp_path, environment) as servers:
        yield await servers.start(tmp_path / "data")


@asynccontextmanager
async def connected(server: Server) -> AsyncIterator[tuple[StreamReader, StreamWriter]]:
    """Open a plain connection."""
    reader, writer = await asyncio.open_connection(*await server.address())
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def end_of(reader: StreamReader) -> bytes:
    """Return the bytes until the server closes the connection, within 10 seconds."""
    async with asyncio.timeout(10):
        return await reader.read()


def resident_kilobytes(server: Server) -> int:
    """Return the resident memory of a server in KiB."""
    match = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{server.pid}/status").read_text("ascii"))
    assert match
    return int(match[1])


def one_header() -> Iterable[bytes]:
    yield BEGINNING + b"X-Large: "
    yield from [PIECE] * 900


def many_headers() -> Iterable[bytes]:
    yield BEGINNING
    yield from [b"".join(b"X-%d: y\r\n" % number for number in range(6_000))] * 900


def long_line() -> Iterable[bytes]:
    yield b"GET /"
    yield from [PIECE] * 900


def trailers() -> Iterable[bytes]:
    yield b"POST /health/live HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Large: "
    yield from [PIECE] * 900


@pytest.mark.parametrize("head", [one_header, many_headers, long_line])
async def test_a_head_that_is_too_large_is_rejected_while_it_arrives(tmp_path: Path, head: object) -> None:
    assert callable(head)
    async with started(tmp_path) as server, connected(server) as (reader, writer):
        before = resident_kilobytes(server)
        began = time.monotonic()
        response = asyncio.create_task(end_of(reader))
        with suppress(OSError):
            for piece in head():
                writer.write(piece)
                await writer.drain()
        assert (await response).startswith(b"HTTP/1.1 431 ")
        assert time.monotonic() - began < 5
        assert resident_kilobytes(server) - before < 8_000
        async with await server.connect() as other:
            assert await other.get("/health/live") == 200
        assert server.words() == ""


async def test_trailers_have_the_same_limit_as_heads(tmp_path: Path) -> None:
    async with started(tmp_path) as server, connected(server) as (reader, writer):
        before = resident_kilobytes(server)
        response = asyncio.create_task(end_of(reader))
        with suppress(OSError):
            for piece in trailers():
                writer.write(piece)
                await writer.drain()
        with suppress(ConnectionError):
            await response
        assert resident_kilobytes(server) - before < 8_000


async def test_a_head_may_have_exactly_the_maximum_size(tmp_path: Path) -> None:
    async with started(tmp_path, max_head_bytes="5000") as server:
        for length, status in ((5_000, b"200"), (5_001, b"431")):
            async with connected(server) as (reader, writer):
                rest = b"Connection: close\r\nX-Fill: "
                writer.write(BEGINNING + rest + b"y" * (length - len(BEGINNING + rest) - 4) + b"\r\n\r\n")
                assert (await end_of(reader)).split()[1] == status


async def test_a_large_body_does_not_count_as_head(tmp_path: Path) -> None:
    async with started(tmp_path, max_head_bytes="5000") as server, await server.connect() as client:
        for _ in range(2):
            status, _ = await client.answer("{ __typename }" + " " * 5_000, filler="z" * 300_000)
            assert status == 200


@pytest.mark.parametrize("sent", [b"", b"GET / HT"])
async def test_a_connection_without_a_complete_head_is_closed(tmp_path: Path, sent: bytes) -> None:
    async with started(tmp_path, head_seconds="1") as server, connected(server) as (reader, writer):
        began = time.monotonic()
        writer.write(sent)
        response = await end_of(reader)
        assert response.startswith(b"HTTP/1.1 408 ") if sent else response == b""
        assert 0.5 < time.monotonic() - began < 4


@pytest.mark.parametrize("before", [b"", BEGINNING + b"\r\n"])
async def test_a_head_that_arrives_too_slowly_is_rejected(tmp_path: Path, before: bytes) -> None:
    async with started(tmp_path, head_seconds="1") as server, connected(server) as (reader, writer):
        writer.write(before)
        if before:
            await reader.readuntil(b"\r\n\r\n")
        dripping = asyncio.create_task(_drip(writer))
        began = time.monotonic()
        assert b"HTTP/1.1 408 " in await end_of(reader)
        assert time.monotonic() - began < 4
        dripping.cancel()


async def _drip(writer: StreamWriter) -> None:
    with suppress(OSError):
        for byte in BEGINNING * 10:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.1)


async def test_well_behaved_connections_stay_open(tmp_path: Path) -> None:
    async with started(tmp_path, head_seconds="1") as server:
        async with await server.connect() as client, websocket(*await server.address()) as socket:
            await socket.init()
            for _ in range(3):
                assert await client.get("/health/live") == 200
                await asyncio.sleep(1.5)
            await socket.subscribe("subscription { changes { position } }")
            await socket.quiet()
        assert server.words() == ""


async def test_connections_beyond_the_limit_are_rejected_with_503(tmp_path: Path) -> None:
    async with started(tmp_path, max_connections="4") as server, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(await server.connect()) for _ in range(3)]
        await stack.enter_async_context(websocket(*await server.address()))
        for _ in range(3):
            async with connected(server) as (reader, writer):
                writer.write(BEGINNING + b"\r\n")
                response = await end_of(reader)
                assert response.startswith(b"HTTP/1.1 503 ")
                assert b"\r\nretry-after: 1\r\n" in response
        assert [await client.get("/health/live") for client in clients] == [200] * 3
        await clients[0].aclose()
        await asyncio.sleep(0.2)
        async with await server.connect() as client:
            assert await client.get("/health/live") == 200


async def test_bodies_that_never_arrive_do_not_occupy_all_request_slots(tmp_path: Path) -> None:
    limits = {"http_max_concurrent_requests": "10", "max_unfinished_bodies": "6"}
    async with started(tmp_path, **limits) as server:
        slow = await asyncio.gather(*(server.connect() for _ in range(10)))
        for client in slow:
            await client.send_part_of_a_request()
        await asyncio.sleep(2)
        async with await server.connect() as client:
            status, response = await client.answer("{ __typename }")
            assert status == 200, json.dumps(response)
        await close_all(slow)
        assert server.words() == ""


async def test_connections_do_not_exhaust_file_descriptors(tmp_path: Path) -> None:
    limited_program = ("sh", "-c", 'ulimit -n 280 && exec "$@"', "sh", *PROGRAM)
    async with Servers(tmp_path) as servers, AsyncExitStack() as stack:
        server = await servers.start(tmp_path / "data", program=limited_program)
        for _ in range(80):
            await stack.enter_async_context(connected(server))
        for _ in range(60):
            reader, _ = await stack.enter_async_context(connected(server))
            assert (await end_of(reader)).startswith(b"HTTP/1.1 503 ")
        assert server.words() == ""
