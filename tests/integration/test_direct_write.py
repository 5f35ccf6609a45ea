"""Events are written to uvicorn's transport directly, with the same bytes and in the same order as ASGI messages."""

import asyncio
import base64
import json
import os
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode

from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost, EditPost
from ledgerpress.http.streaming import uvicorn_direct_write
from ledgerpress.http.streaming.uvicorn_direct_write import chunk_of, frame_head
from ledgerpress.http.uvicorn_internals import uvicorn_module
from ledgerpress.server.store import Store, open_store
from tests.fixed_sources import SeededBytes, SetClock
from tests.integration.websocket_client import Served, served, websocket

CHANGES = "subscription { changes { position after } }"
IDS = ("1", "f0e9c6a2-Ωé")
SECONDS = 20.0


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "data", clock=SetClock(), randomness=SeededBytes()) as store:
        yield store


@pytest.fixture
async def post(store: Store) -> str:
    return (await store.commands.handle(CreatePost(title="Title"))).subject_id


@pytest.fixture
def asgi_messages(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the ASGI messages that the servers of this process receive, by type."""
    counts = Counter[str]()
    for cls in (WebSocketsSansIOProtocol, RequestResponseCycle):

        def counting(self: Any, message: Any, send: Any = cls.send) -> Any:
            counts[message["type"]] += 1
            return send(self, message)

        monkeypatch.setattr(cls, "send", counting)
    return counts


@dataclass(frozen=True, slots=True)
class Wire:
    """A connection whose bytes a test sees."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def request(self, method: str, path: str, body: bytes, *headers: str) -> None:
        lines = (
            f"{method} {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json",
            f"Content-Length: {len(body)}", *headers, "", "",
        )  # fmt: skip
        self.writer.write("\r\n".join(lines).encode() + body)

    def message(self, **message: Any) -> None:
        """Send a text message over a WebSocket."""
        data = json.dumps(message).encode()
        self.writer.write(Frame(Opcode.TEXT, data).serialize(mask=True))

    async def head(self) -> bytes:
        return await self.reader.readuntil(b"\r\n\r\n")

    async def frame(self) -> bytes:
        """Return the next frame of a WebSocket; skip pings."""
        head = await self.reader.readexactly(2)
        extended = {126: 2, 127: 8}.get(head[1], 0)
        size = await self.reader.readexactly(extended)
        data = await self.reader.readexactly(int.from_bytes(size or head[1:], "big"))
        return await self.frame() if head[0] == 0x89 else head + size + data

    async def chunk(self) -> bytes:
        """Return the next chunk of a response; skip comments of event streams."""
        size = await self.reader.readuntil(b"\r\n")
        data = await self.reader.readexactly(int(size, 16) + 2)
        return await self.chunk() if data.startswith(b":") else size + data


@asynccontextmanager
async def connected(server: Served) -> AsyncIterator[Wire]:
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)  # so that a client can be slow
    plain.connect((server.host, server.port))
    reader, writer = await asyncio.open_connection(sock=plain)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()


Read = Callable[[], Awaitable[bytes]]


@asynccontextmanager
async def subscribed_websocket(server: Served) -> AsyncIterator[Wire]:
    async with connected(server) as wire:
        key = base64.b64encode(os.urandom(16)).decode()
        wire.request(
            "GET", "/graphql", b"", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: graphql-transport-ws",
        )  # fmt: skip
        await wire.head()
        wire.message(type="connection_init")
        assert b"connection_ack" in await wire.frame()
        for id_ in IDS:
            wire.message(id=id_, type="subscribe", payload={"query": CHANGES})
        yield wire


@asynccontextmanager
async def over_websocket(server: Served) -> AsyncIterator[Read]:
    async with subscribed_websocket(server) as wire:
        yield wire.frame


@asynccontextmanager
async def over_event_stream(server: Served) -> AsyncIterator[Read]:
    async with connected(server) as wire:
        wire.request("POST", "/graphql", json.dumps({"query": CHANGES}).encode(), "Accept: text/event-stream")
        await wire.head()
        yield wire.chunk


@asynccontextmanager
async def over_single_connection(server: Served) -> AsyncIterator[Read]:
    async with connected(server) as commands, connected(server) as wire:
        commands.request("PUT", "/graphql/stream", b"")
        assert b"\r\ncontent-length: 43\r\n" in await commands.head()
        token = f"X-GraphQL-Event-Stream-Token: {(await commands.reader.readexactly(43)).decode()}"
        wire.request("GET", "/graphql/stream", b"", "Accept: text/event-stream", token)
        await wire.head()
        for id_ in IDS:
            body = {"query": CHANGES, "extensions": {"operationId": id_}}
            commands.request("POST", "/graphql/stream", json.dumps(body).encode(), token)
            assert b" 202 " in await commands.head()
        yield wire.chunk


@dataclass(frozen=True, slots=True)
class Transport:
    opened: Callable[[Served], AbstractAsyncContextManager[Read]]
    subscriptions: int
    message: str
    """The type of the ASGI messages for events."""


TRANSPORTS = {
    "websocket": Transport(over_websocket, len(IDS), "websocket.send"),
    "event stream": Transport(over_event_stream, 1, "http.response.body"),
    "single connection": Transport(over_single_connection, len(IDS), "http.response.body"),
}
each_transport = pytest.mark.parametrize("transport", TRANSPORTS.values(), ids=TRANSPORTS)


async def waiting(server: Served, subscriptions: int) -> None:
    """Wait until this number of subscriptions waits for the next event."""
    groups = server.subscriptions.hub._shared
    async with asyncio.timeout(SECONDS):
        while sum(len(shared.at_front) for shared in groups.values()) < subscriptions:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def record(store: Store, post: str, *lengths: int) -> None:
    """Record events with texts of these lengths: quotation marks, which take two bytes in JSON."""
    head = await store.log.head()
    for number, length in enumerate(lengths):
        body = f"{head + number} " + '"' * length
        await store.commands.handle(EditPost(post_id=post, body=body))


@each_transport
async def test_the_bytes_are_those_of_asgi_messages(
    store: Store, post: str, asgi_messages: Counter[str], transport: Transport
) -> None:
    lengths = (1, 300, 90_000, 2)
    count = len(lengths) * transport.subscriptions
    async with (
        served(store) as direct,
        served(store, asgi_only=True) as other,
        transport.opened(direct) as read_direct,
        transport.opened(other) as read_other,
    ):
        await waiting(direct, transport.subscriptions)
        await waiting(other, transport.subscriptions)
        asgi_messages.clear()
        await record(store, post, *lengths)
        async with asyncio.timeout(SECONDS):
            # The messages of two subscriptions of one connection are in any order.
            recordings = [sorted([await read() for _ in range(count)]) for read in (read_direct, read_other)]
    assert recordings[0] == recordings[1]
    assert count <= asgi_messages[transport.message] < 2 * count, (
        "the first server gets them for large events only"
    )


@each_transport
@pytest.mark.parametrize("is_supported", [True, False])
async def test_a_version_of_uvicorn_that_is_not_supported_gets_asgi_messages(
    store: Store,
    post: str,
    asgi_messages: Counter[str],
    transport: Transport,
    is_supported: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not is_supported:
        monkeypatch.setattr(uvicorn, "__version__", "0.99.0")
        for name in ("_CYCLE", "_WEBSOCKET"):
            monkeypatch.setattr(uvicorn_direct_write, name, None)
        assert uvicorn_module("uvicorn.protocols.http.httptools_impl") is None
    async with served(store) as server, transport.opened(server) as read:
        await waiting(server, transport.subscriptions)
        asgi_messages.clear()
        await record(store, post, 1, 2, 3)
        count = 3 * transport.subscriptions
        async with asyncio.timeout(SECONDS):
            events = [await read() for _ in range(count)]
        assert all(b'"position":' in event for event in events)
        assert asgi_messages[transport.message] == (0 if is_supported else count)


@each_transport
@pytest.mark.parametrize("asgi_only", [False, True])
async def test_a_client_that_pauses_receives_each_event_once_and_in_order(
    store: Store, post: str, asgi_messages: Counter[str], transport: Transport, asgi_only: bool
) -> None:
    start = await store.log.head()
    async with served(store, asgi_only=asgi_only) as server, transport.opened(server) as read:
        await waiting(server, transport.subscriptions)
        asgi_messages.clear()
        await record(store, post, *[200_000, 1] * 20)  # more than the buffers hold, so that sending waits
        assert asgi_messages[transport.message]
        events: list[bytes] = []
        async with asyncio.timeout(SECONDS):
            while len(events) < 40 * transport.subscriptions:
                events.append(await read())
        await waiting(server, transport.subscriptions)
        await record(store, post, 1)
        async with asyncio.timeout(SECONDS):
            events += [await read() for _ in range(transport.subscriptions)]
        by_id: dict[str, list[int]] = {}
        for event in events:
            message = json.loads(event[event.index(b'{"') : event.rindex(b"}") + 1])
            payload = message.get("payload", message)
            by_id.setdefault(message.get("id", ""), []).append(payload["extensions"]["position"])
        assert set(map(tuple, by_id.values())) == {tuple(range(start + 1, start + 42))}


@pytest.mark.parametrize("asgi_only", [False, True])
async def test_the_close_frame_is_the_last_frame(store: Store, post: str, asgi_only: bool) -> None:
    async with served(store, asgi_only=asgi_only) as server, subscribed_websocket(server) as wire:
        await waiting(server, len(IDS))
        writing = asyncio.create_task(record(store, post, *[1] * 200))
        await wire.frame()
        server.stopping.set()
        frames = [await wire.frame()]
        async with asyncio.timeout(SECONDS):
            while frames[-1][0] != 0x88:
                frames.append(await wire.frame())
            assert int.from_bytes(frames[-1][2:4], "big") == 1001
            await server.nothing_is_left()
            # Nothing follows until the client answers the close frame, and the server closes the connection.
            wire.writer.write(Frame(Opcode.CLOSE, frames[-1][2:4]).serialize(mask=True))
            with pytest.raises(asyncio.IncompleteReadError) as end:
                await wire.frame()
        assert end.value.partial == b""
        writing.cancel()


async def test_messages_that_are_compressed_are_asgi_messages(
    store: Store, post: str, asgi_messages: Counter[str]
) -> None:
    async with served(store, compression=True) as server:
        for compression, expected in (("deflate", 2), (None, 0)):
            async with websocket(server.host, server.port, compression=compression) as client:
                await (await client.init()).subscribe(CHANGES)
                await waiting(server, 1)
                asgi_messages.clear()
                await record(store, post, 400, 400)
                for _ in range(2):
                    assert "after" in (await client.next())["data"]["changes"]
                assert asgi_messages["websocket.send"] == expected
            await server.nothing_is_left()


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
def test_the_head_of_a_frame_is_that_of_the_library(length: int) -> None:
    data = b"a" * length
    assert frame_head(length) + data == Frame(Opcode.TEXT, data).serialize(mask=False)


def test_a_chunk_states_its_length_in_hexadecimal() -> None:
    assert chunk_of(b"a" * 26) == b"1a\r\n" + b"a" * 26 + b"\r\n"


def test_the_installed_version_of_uvicorn_is_supported() -> None:
    assert uvicorn_direct_write._CYCLE is RequestResponseCycle
    assert uvicorn_direct_write._WEBSOCKET is WebSocketsSansIOProtocol, (
        "check which internals of uvicorn uvicorn_direct_write uses, and add the new version to uvicorn_internals"
    )
