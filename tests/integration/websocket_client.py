"""A real server in this process for subscriptions, and a client of graphql-transport-ws."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from ledgerpress.commands.client_identity import LOCAL_OPERATOR, Authenticator, FixedIdentity
from ledgerpress.features.registry import graphql_schema, page_contributions
from ledgerpress.graphql.limits.settings import Limits
from ledgerpress.graphql.subscriptions.hub import SubscriptionHub
from ledgerpress.graphql.subscriptions.settings import SubscriptionSettings
from ledgerpress.http.app import Runtime, make_app
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.http.streaming.websocket_and_sse_dispatch import StreamingEndpoint
from ledgerpress.server.process.sockets import set_send_timeout
from ledgerpress.server.store import Store
from tests.integration.several_workers import StreamingOfWorkers, app_of_workers

SECONDS = 20.0
"""Timeout for messages and events that should come at once; no passing test waits so long."""


@dataclass(frozen=True, slots=True)
class Served:
    """A running server: its address, its streaming endpoint and its connections."""

    host: str
    port: int
    subscriptions: StreamingEndpoint | StreamingOfWorkers
    stopping: asyncio.Event
    connections: set[Any]

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def hubs(self) -> list[SubscriptionHub]:
        """The subscriptions of each worker."""
        endpoint = self.subscriptions
        return endpoint.hubs if isinstance(endpoint, StreamingOfWorkers) else [endpoint.hub]

    async def nothing_is_left(self) -> None:
        """Wait until the server has no connections and subscriptions left; fail if some remain."""
        try:
            async with asyncio.timeout(SECONDS):
                while any(self.subscriptions.counts.values()):  # noqa: ASYNC110 - there is no notification to wait for
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"left behind: {self.subscriptions.counts}") from None


@asynccontextmanager
async def served(
    store: Store,
    *,
    authenticator: Authenticator | None = None,
    live: SubscriptionSettings | None = None,
    settings: HttpSettings | None = None,
    silent_seconds: float = 30,
    asgi_only: bool = False,
    compression: bool = False,
) -> AsyncIterator[Served]:
    """Serve an open store on a free port. With `asgi_only`, a host application wraps `send`."""
    stopping = asyncio.Event()

    def new_app(store: Store, runtime: Runtime) -> Starlette:
        return make_app(
            store,
            graphql_schema(),
            pages=page_contributions(),
            authenticator=authenticator or FixedIdentity(LOCAL_OPERATOR),
            settings=settings or HttpSettings.development(),
            subscriptions=live,
            limits=Limits.development(),
            runtime=runtime,
        )

    async with (
        app_of_workers(store, new_app, lambda: Runtime(stopping=stopping)) as app,
        _served(app, stopping, silent_seconds, asgi_only, compression) as running,
    ):
        yield running


@asynccontextmanager
async def _served(
    app: Starlette, stopping: asyncio.Event, silent_seconds: float, asgi_only: bool, compression: bool
) -> AsyncIterator[Served]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        set_send_timeout(listener, silent_seconds)
        config = uvicorn.Config(
            _with_wrapped_send(app) if asgi_only else app,
            http="httptools",
            ws="websockets-sansio",
            ws_per_message_deflate=compression,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=5,
        )
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        host, port = listener.getsockname()
        try:
            yield Served(host, port, app.state.streaming, stopping, server.server_state.connections)
        finally:
            stopping.set()
            server.should_exit = True
            await task


def _with_wrapped_send(app: ASGIApp) -> ASGIApp:
    async def host(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            await send(message)

        await app(scope, receive, sending)

    return host


class Socket:
    """A client's socket."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self._ids = count(1)

    async def send(self, message: object) -> None:
        """Send a message as JSON, or text and bytes unchanged."""
        await self.connection.send(message if isinstance(message, str | bytes) else json.dumps(message))

    async def receive(self) -> dict[str, Any]:
        """Return the next message."""
        async with asyncio.timeout(SECONDS):
            text = await self.connection.recv()
        assert isinstance(text, str)
        message: dict[str, Any] = json.loads(text)
        return message

    async def closed(self) -> tuple[int, str]:
        """Read until the server closes the socket, and return the code and the reason."""
        async with asyncio.timeout(SECONDS):
            await self._read_to_the_end()
        received = self.connection.protocol.close_rcvd
        assert received is not None, "the connection was lost without a close frame"
        return received.code, received.reason

    async def _read_to_the_end(self) -> None:
        with suppress(ConnectionClosed):
            while True:
                await self.connection.recv()

    async def init(self, **payload: Any) -> Self:
        """Send `connection_init`, and wait for the acknowledgement."""
        await self.send({"type": "connection_init", **({"payload": payload} if payload else {})})
        assert await self.receive() == {"type": "connection_ack"}
        return self

    async def subscribe(self, query: str, id: str | None = None, /, **variables: Any) -> str:
        """Begin an operation, and return its id."""
        id = id or f"operation-{next(self._ids)}"
        payload = {"query": query, "variables": variables}
        await self.send({"id": id, "type": "subscribe", "payload": payload})
        return id

    async def results(self, id: str) -> list[dict[str, Any]]:
        """Return the payloads of all results of an operation, up to its end."""
        payloads = []
        while (message := await self.receive())["type"] == "next":
            assert message["id"] == id
            payloads.append(message["payload"])
        assert message == {"id": id, "type": "complete"}, message
        return payloads

    async def next(self) -> dict[str, Any]:
        """Return the payload of the next message, which must be a result."""
        message = await self.receive()
        assert message["type"] == "next", message
        payload: dict[str, Any] = message["payload"]
        return payload

    async def quiet(self) -> None:
        """Check that the server has sent nothing: the next message is the response to a ping."""
        await self.send({"type": "ping", "payload": {"quiet": True}})
        assert await self.receive() == {"type": "pong", "payload": {"quiet": True}}


@asynccontextmanager
async def websocket(
    host: str, port: int, *, subprotocol: str = "graphql-transport-ws", compression: str | None = None
) -> AsyncIterator[Socket]:
    """Open a WebSocket connection."""
    async with connect(
        f"ws://{host}:{port}/graphql",
        subprotocols=[Subprotocol(subprotocol)],
        ping_interval=None,
        compression=compression,
    ) as connection:
        yield Socket(connection)
