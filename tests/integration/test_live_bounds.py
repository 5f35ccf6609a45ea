"""Subscribers that are slow, disconnected or too many are limited, notified, and leave nothing behind."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from ledgerpress.features.actors.commands import RegisterActor
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost, EditPost
from ledgerpress.graphql.subscriptions.settings import SubscriptionSettings
from ledgerpress.server.store import Store, open_store
from tests.fixed_sources import SeededBytes, SetClock
from tests.integration.interrupted_subscribers import Wire, over_websocket
from tests.integration.sse_client import opened
from tests.integration.websocket_client import Served, Socket, served, websocket

pytestmark = pytest.mark.usefixtures("workers")

CHANGES = "subscription ($from: Position) { changes(fromPosition: $from) { position after } }"
LARGE = "A paragraph of some length, as a post has it. " * 4_000


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "data", clock=SetClock(), randomness=SeededBytes()) as store:
        yield store


async def large_events(store: Store, count: int) -> list[int]:
    """Record large edits, and return their positions."""
    post = await store.commands.handle(CreatePost(title="Large"))
    return [
        (await store.commands.handle(EditPost(post_id=post.subject_id, body=f"{number} {LARGE}"))).position
        for number in range(count)
    ]


async def read_to_the_end(socket: Socket) -> tuple[list[int], dict[str, Any]]:
    """Return the positions of the results, and the first message that is not a result."""
    positions = []
    while (message := await socket.receive())["type"] == "next":
        positions.append(message["payload"]["extensions"]["position"])
    return positions, message


@asynccontextmanager
async def slow_socket(server: Served) -> AsyncIterator[Socket]:
    """Open a socket whose client has small buffers for unread messages."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    raw.connect((server.host, server.port))
    connection = await connect(
        f"ws://{server.host}/graphql",
        sock=raw,
        subprotocols=[Subprotocol("graphql-transport-ws")],
        ping_interval=None,
        compression=None,
        max_queue=1,
        max_size=None,
    )
    try:
        yield await Socket(connection).init()
    finally:
        connection.transport.abort()
        await connection.wait_closed()


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(SubscriptionSettings(max_lag=5, send_seconds=30), id="too many events behind"),
        pytest.param(SubscriptionSettings(max_lag=1_000, send_seconds=4), id="sending takes too long"),
    ],
)
async def test_a_slow_consumer_receives_its_resume_position_and_misses_nothing(
    store: Store, settings: SubscriptionSettings
) -> None:
    async with served(store, live=settings) as server, slow_socket(server) as slow:
        start = await store.log.head()
        await slow.subscribe(CHANGES)
        await slow.quiet()
        await asyncio.sleep(0.1)
        await large_events(store, 40)
        async with asyncio.timeout(20):
            while server.subscriptions.counts["subscriptions"]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        positions, message = await read_to_the_end(slow)
        assert message["type"] == "error"
        [error] = message["payload"]
        assert error["extensions"] == {
            "code": "SLOW_CONSUMER",
            "position": positions[-1] if positions else start,
        }
        assert f"Resume from position {error['extensions']['position']}." in error["message"]
        # The socket remains usable: it resumes, and receives each event once.
        await slow.subscribe(CHANGES, **{"from": error["extensions"]["position"]})
        while positions[-1:] != [await store.log.head()]:
            positions.append((await slow.next())["extensions"]["position"])
        assert positions == list(range(start + 1, positions[-1] + 1))
        await slow.connection.close()
        await server.nothing_is_left()


async def test_a_client_that_reads_nothing_is_disconnected(store: Store) -> None:
    settings = SubscriptionSettings(send_seconds=0.3)
    async with served(store, live=settings, silent_seconds=0.5) as server, slow_socket(server) as slow:
        await slow.subscribe(CHANGES)
        await slow.quiet()
        await asyncio.sleep(0.1)
        await large_events(store, 40)
        await server.nothing_is_left()  # the client sends nothing
        async with asyncio.timeout(20):
            while server.connections:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_a_slow_subscriber_does_not_delay_the_others(store: Store) -> None:
    async with (
        served(store) as server,
        websocket(server.host, server.port) as quick,
        slow_socket(server) as slow,
    ):
        for subscriber in (slow, await quick.init()):
            await subscriber.subscribe(CHANGES)
            await subscriber.quiet()
        await asyncio.sleep(0.1)
        reading = asyncio.create_task(_receive_until(quick, 40))
        await large_events(store, 40)
        await reading


async def _receive_until(socket: Socket, count: int) -> None:
    for _ in range(count):
        await socket.next()


async def test_a_dropped_client_leaves_nothing_behind(store: Store) -> None:
    async with served(store) as server:
        await _subscribe_and_disconnect(server)
        await server.nothing_is_left()
        before = len(asyncio.all_tasks())
        for _ in range(5):
            await asyncio.gather(*(_subscribe_and_disconnect(server) for _ in range(10)))
            await store.commands.handle(RegisterActor(name="Author"))
        await server.nothing_is_left()
        await asyncio.sleep(0.1)
        assert len(asyncio.all_tasks()) <= before
        with store.snapshot() as snapshot:
            assert snapshot.position == await store.log.head()
        # No reader is left; a withdrawal would wait for readers.
        assert await store.views.sweep()


async def _subscribe_and_disconnect(server: Served) -> None:
    """Subscribe over each transport, and disconnect in the middle."""
    wire = Wire((server.host, server.port))
    positions = over_websocket(wire, 0, None)
    await asyncio.to_thread(next, positions)
    wire.close()
    async with websocket(server.host, server.port) as socket:
        await socket.init()
        for query in (CHANGES, "subscription { recentPosts { totalCount } }"):
            await socket.subscribe(query)
        await socket.subscribe("{ moment { position } }")
        await socket.receive()
        socket.connection.transport.abort()
    async with httpx2.AsyncClient() as http:
        async with opened(http, "POST", f"{server.url}/graphql", CHANGES, **{"from": 0}) as stream:
            await stream.next()
        url = f"{server.url}/graphql/stream"
        headers = {"X-GraphQL-Event-Stream-Token": (await http.put(url)).text}
        async with opened(http, "GET", url, None, headers):
            body = {"query": CHANGES, "extensions": {"operationId": "1"}}
            assert (await http.post(url, json=body, headers=headers)).status_code == 202


async def test_an_unused_reservation_expires(store: Store) -> None:
    settings = SubscriptionSettings(reservation_seconds=0.2)
    async with served(store, live=settings) as server, httpx2.AsyncClient() as http:
        url = f"{server.url}/graphql/stream"
        headers = {"X-GraphQL-Event-Stream-Token": (await http.put(url)).text}
        body = {"query": CHANGES, "variables": {"from": 0}, "extensions": {"operationId": "1"}}
        assert (await http.post(url, json=body, headers=headers)).status_code == 202
        await server.nothing_is_left()
        assert (await http.post(url, json=body, headers=headers)).status_code == 404


async def test_operations_on_one_socket_are_limited(store: Store) -> None:
    async with (
        served(store, live=SubscriptionSettings(max_operations=2)) as server,
        websocket(server.host, server.port) as socket,
    ):
        await socket.init()
        for id in ("1", "2", "3"):
            await socket.subscribe(CHANGES, id)
        message = await socket.receive()
        assert (message["id"], message["type"]) == ("3", "error")
        assert message["payload"][0]["extensions"]["code"] == "TOO_MANY_OPERATIONS"
        await socket.send({"id": "1", "type": "complete"})
        assert len(await socket.results(await socket.subscribe("{ moment { position } }"))) == 1


async def test_subscriptions_of_the_process_are_limited(store: Store) -> None:
    async with (
        served(store, live=SubscriptionSettings(max_subscriptions=1)) as server,
        websocket(server.host, server.port) as socket,
    ):
        await socket.init()
        await socket.subscribe(CHANGES, "1", **{"from": 3})
        await socket.next()
        await socket.subscribe(CHANGES, "2", **{"from": 3})
        message = await socket.receive()
        assert message["payload"][0]["extensions"]["code"] == "TOO_MANY_SUBSCRIPTIONS"


async def test_a_message_that_is_too_large_closes_the_socket(store: Store) -> None:
    async with (
        served(store, live=SubscriptionSettings(max_message_bytes=1_000)) as server,
        websocket(server.host, server.port) as socket,
    ):
        await socket.send({"type": "ping", "payload": {"much": "x" * 1_000}})
        assert (await socket.closed())[0] == 1009


@pytest.mark.parametrize("data", [b'{"type":"connection_init"}', b"\x00"])
async def test_a_binary_message_closes_the_socket(store: Store, data: bytes) -> None:
    async with served(store) as server, websocket(server.host, server.port) as socket:
        await socket.send(data)
        assert (await socket.closed())[0] == 4400


async def test_a_message_that_is_too_deep_closes_the_socket(store: Store) -> None:
    async with served(store) as server, websocket(server.host, server.port) as socket:
        await socket.send('{"type":"ping","payload":' + '{"a":' * 100_000 + "1" + "}" * 100_001)
        assert (await socket.closed())[0] == 4400


async def test_a_stopping_server_disconnects_all_clients(store: Store) -> None:
    async with served(store) as server, httpx2.AsyncClient() as http:
        async with (
            websocket(server.host, server.port) as socket,
            opened(http, "POST", f"{server.url}/graphql", CHANGES) as stream,
        ):
            await (await socket.init()).subscribe(CHANGES)
            await socket.quiet()
            server.stopping.set()
            assert (await socket.closed())[0] == 1001
            assert await stream.rest() == []
        await server.nothing_is_left()


async def test_a_mutation_that_the_client_cancels_is_still_executed(store: Store) -> None:
    head = await store.log.head()
    async with served(store) as server, websocket(server.host, server.port) as socket:
        await socket.init()
        mutation = 'mutation { authorRegister(input: { name: "Ann" }) { position } }'
        payload = {"query": mutation}
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
        await socket.send({"id": "1", "type": "complete"})
        async with asyncio.timeout(10):
            assert await store.log.wait_beyond(head, 10)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                pytest.fail(f"{await socket.connection.recv()!r} was sent")
