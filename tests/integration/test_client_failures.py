"""Failures of clients: each has its documented code, and none is logged as an error of the server."""

import asyncio
import base64
import json
import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.integration.server_process import EVERYONE_IS_ADMIN, Server, Servers
from tests.integration.websocket_client import websocket

QUICK = {
    **EVERYONE_IS_ADMIN,
    "LEDGERPRESS_LIVE_KEEP_ALIVE_SECONDS": "0.5",
    "LEDGERPRESS_LIVE_SEND_SECONDS": "0.5",
    "LEDGERPRESS_LIVE_MAX_MESSAGE_BYTES": "100000",
}
SECONDS = 30.0
CHANGES = "subscription { changes(fromPosition: 0) { position event } }"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """Yield a server; at its end, it must have logged no error and no traceback."""
    async with Servers(tmp_path, QUICK) as servers:
        server = await servers.start(tmp_path / "data", "--profile", "production")
        yield server
        assert await server.stop() == 0
        assert [line for line in lines(server) if line["level"] == "error"] == []
        assert "Traceback" not in server.words()


def lines(server: Server) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.words().splitlines() if line.startswith("{")]


@asynccontextmanager
async def connected(
    server: Server, receive_buffer: int | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a plain connection. Nothing is read before the caller reads, except what the buffers hold."""
    plain = socket.socket()
    if receive_buffer:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    plain.setblocking(False)
    await asyncio.get_running_loop().sock_connect(plain, await server.address())
    reader, writer = await asyncio.open_connection(sock=plain, limit=receive_buffer or 2**16)
    try:
        yield reader, writer
    finally:
        writer.close()


def handshake(*headers: str) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    fixed = ["GET /graphql HTTP/1.1", "Host: localhost", "Connection: Upgrade", "Upgrade: websocket"]
    websocket_headers = [f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: graphql-transport-ws"]  # fmt: skip
    return "\r\n".join([*fixed, *websocket_headers, *headers, "", ""]).encode()


def frame(opcode: int, data: bytes, *, mask: bool = True) -> bytes:
    """Return a frame of a client (RFC 6455, 5.2). Its mask is zero, so that the data stays as it is."""
    bit = 0x80 if mask else 0
    size = (
        bytes([bit | len(data)]) if len(data) < 126
        else bytes([bit | 126]) + struct.pack("!H", len(data)) if len(data) < 65_536
        else bytes([bit | 127]) + struct.pack("!Q", len(data))
    )  # fmt: skip
    return bytes([0x80 | opcode]) + size + (bytes(4) if mask else b"") + data


async def close_code(reader: asyncio.StreamReader) -> int:
    """Read frames without answering any, and return the code of the close frame."""
    async with asyncio.timeout(SECONDS):
        while True:
            first, second = await reader.readexactly(2)
            length = second
            if second >= 126:
                length = int.from_bytes(await reader.readexactly(2 if second == 126 else 8), "big")
            data = await reader.readexactly(length)
            if first & 15 == 8:
                return int.from_bytes(data[:2], "big")


async def opened(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(handshake())
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    writer.write(frame(1, b'{"type":"connection_init"}'))
    ack = b'{"type":"connection_ack"}'
    assert await reader.readexactly(2 + len(ack)) == bytes([0x81, len(ack)]) + ack


def subscribe(query: str) -> bytes:
    return frame(1, json.dumps({"id": "1", "type": "subscribe", "payload": {"query": query}}).encode())


async def write_much(server: Server) -> None:
    """Record more than fits into the buffers of a connection: Linux lets that for sending grow to 4 MiB."""
    async with await server.connect() as client:
        for number in range(40):
            assert (await client.mutate("postCreate", title=f"Post {number}", body="tide " * 50_000)).done


async def test_a_client_that_does_not_answer_pings_is_closed_with_1013(server: Server) -> None:
    async with connected(server) as (reader, writer):
        await opened(reader, writer)
        writer.write(subscribe("subscription { changes { position } }"))
        assert await close_code(reader) == 1013
        async with await server.connect() as client:  # an event for a socket that is closed
            assert (await client.mutate("categoryCreate", name="Tides")).done


async def test_a_client_that_stops_reading_is_closed_with_1013(server: Server) -> None:
    await write_much(server)
    async with connected(server, 4_096) as (reader, writer):
        await opened(reader, writer)
        writer.write(subscribe(CHANGES))
        async with websocket(*await server.address()) as other:
            await other.init()
            for _ in range(10):  # the server works on while the first client does not read
                await other.quiet()
                await asyncio.sleep(0.3)
        assert await close_code(reader) == 1013


async def test_an_event_stream_whose_client_stops_reading_is_closed(server: Server) -> None:
    await write_much(server)
    body = json.dumps({"query": CHANGES}).encode()
    head = b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\n"
    async with connected(server, 4_096) as (_, writer):
        writer.write(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        async with asyncio.timeout(SECONDS):
            while not any("does not read" in line["message"] for line in lines(server)):  # noqa: ASYNC110 - another process logs
                await asyncio.sleep(0.05)


FRAMES = {
    "invalid UTF-8": (frame(1, b"\xff\xfe"), 1007),
    "an unmasked frame": (frame(1, b"{}", mask=False), 1002),
    "a reserved opcode": (frame(3, b"{}"), 1002),
    "a large message": (frame(1, b" " * 100_001), 1009),
    "a continuation without a beginning": (frame(0, b"{}"), 1002),
    "a close frame with an invalid code": (frame(8, b"\x03\xed"), 1002),
    "a binary message": (frame(2, b"{}"), 4400),
    "no JSON": (frame(1, b"{"), 4400),
}


async def test_invalid_frames_have_their_codes(server: Server) -> None:
    for name, (data, code) in FRAMES.items():
        async with connected(server) as (reader, writer):
            await opened(reader, writer)
            writer.write(subscribe("subscription { changes { position } }") + data)
            assert await close_code(reader) == code, name
    async with await server.connect() as client:
        assert (await client.mutate("categoryCreate", name="Tides")).done


async def test_invalid_handshakes_and_other_protocols_get_a_response(server: Server) -> None:
    tls = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), tls, server_hostname="localhost")
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    requests: Iterable[tuple[str, bytes, set[bytes]]] = [
        ("a long header", handshake("Cookie: " + "x" * 9_000), {b"400"}),
        ("many headers", handshake(*(f"X-{number}: y" for number in range(200))), {b"400"}),
        ("no key", handshake().replace(b"Sec-WebSocket-Key", b"X-Key"), {b"400"}),
        ("an old version", handshake().replace(b"Version: 13", b"Version: 8"), {b"400", b"426"}),
        ("TLS", tls.read(), {b"400"}),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {b"400"}),
        ("noise", b"\x03\x00\x00\x13\r\n\r\n", {b"400"}),
    ]
    for name, data, statuses in requests:
        async with connected(server) as (reader, writer):
            writer.write(data)
            async with asyncio.timeout(SECONDS):
                assert (await reader.read()).split()[1] in statuses, name


async def test_a_reset_connection_is_not_an_error(server: Server) -> None:
    head = b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    stream = b"Accept: text/event-stream\r\n"
    body = json.dumps({"query": "subscription { changes { position } }"}).encode()
    length = b"Content-Length: %d\r\n\r\n" % len(body)
    for data in (
        head,
        head + length + body[:5],
        head + stream + length + body,
        handshake(),
        handshake() + b"\x81",
    ):
        async with connected(server) as (_, writer):
            writer.write(data)
            async with await server.connect() as other:
                assert await other.get("/health/live") == 200  # so the server has read what was sent before
            reset = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
    async with await server.connect() as client:
        assert (await client.mutate("categoryCreate", name="Tides")).done


async def test_a_rejected_websocket_is_logged_once(server: Server) -> None:
    for host, origin, words in (
        ("localhost", "https://evil.example", "live.allowed_origins"),
        ("evil.example", "http://evil.example", "server.allowed_hosts"),
    ):
        async with connected(server) as (reader, writer):
            data = handshake(f"Origin: {origin}").replace(b"Host: localhost", f"Host: {host}".encode())
            writer.write(data)
            async with asyncio.timeout(SECONDS):
                assert (await reader.read()).startswith(b"HTTP/1.1 403 ")
        (line,) = [line for line in lines(server) if words in line["message"]]
        assert line["level"] == "warning"
    assert {line["status"] for line in lines(server) if line["message"].startswith("WEBSOCKET")} <= {403}
