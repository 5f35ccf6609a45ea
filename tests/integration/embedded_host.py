"""The example of docs/how-to/embed.md, served by a real uvicorn in this process, and its clients."""

import asyncio
import runpy
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx2
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp
from websockets.asyncio.client import connect, unix_connect
from websockets.typing import Subprotocol

from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.feature import FeatureSet
from ledgerpress.features.registry import FEATURES
from ledgerpress.operator.tokens import create_token
from ledgerpress.server.embedded_app import EmbeddedApp
from tests.integration.websocket_client import Socket

EXAMPLE: Final = Path(__file__).parents[2] / "docs" / "examples" / "embed" / "newsroom.py"
_SUBPROTOCOL: Final = Subprotocol("graphql-transport-ws")


def example(
    monkeypatch: pytest.MonkeyPatch, data: Path, environment: Mapping[str, str] | None = None
) -> tuple[Starlette, EmbeddedApp]:
    """Load the example with a store in `data`; return the application and what it mounts."""
    for name, value in {"LEDGERPRESS_DATA": str(data), **(environment or {})}.items():
        monkeypatch.setenv(name, value)
    names = runpy.run_path(str(EXAMPLE))
    return names["app"], names["content"]


async def new_token(data: Path, role: Role, features: FeatureSet = FEATURES) -> dict[str, str]:
    """Return the header with a new token for the store in `data`, as `ledgerpress token create` makes it."""
    _, secret = await create_token(
        data,
        "sqlite:",
        name="Robot",
        role=role,
        scopes=None,
        expires=None,
        actor_id=None,
        reason=None,
        progress=lambda *_: None,
        features=features,
    )
    return {"Authorization": f"Bearer {secret}"}


@dataclass(frozen=True, slots=True)
class Host:
    """A running host application. `headers` are those that a proxy would add to each request."""

    http: httpx2.AsyncClient
    listener: socket.socket
    headers: Mapping[str, str] = field(default_factory=dict)

    @asynccontextmanager
    async def websocket(self, path: str) -> AsyncIterator[Socket]:
        """Open a WebSocket, initialised."""
        is_unix = self.listener.family == socket.AF_UNIX
        address = self.listener.getsockname()
        place = "localhost" if is_unix else f"127.0.0.1:{address[1]}"
        opening = unix_connect if is_unix else connect
        arguments = {"path": address} if is_unix else {}
        async with opening(
            uri=f"ws://{place}{path}",
            subprotocols=[_SUBPROTOCOL],
            additional_headers=self.headers,
            compression=None,
            ping_interval=None,
            **arguments,
        ) as connection:
            yield await Socket(connection).init()


@asynccontextmanager
async def served(
    app: ASGIApp, *, unix: Path | None = None, headers: Mapping[str, str] | None = None
) -> AsyncIterator[Host]:
    """Serve an application with its lifespan, on a free port or on a Unix socket."""
    headers = headers or {}
    with _listener(unix) as listener:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="on",
            proxy_headers=False,
            timeout_graceful_shutdown=5,
        )
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            async with asyncio.timeout(20):
                while not server.started:
                    if task.done():
                        await task
                        raise AssertionError("the server has not started")
                    await asyncio.sleep(0.01)
            transport = None if unix is None else httpx2.AsyncHTTPTransport(uds=str(unix))
            base = "http://localhost" if unix else f"http://127.0.0.1:{listener.getsockname()[1]}"
            async with httpx2.AsyncClient(transport=transport, base_url=base, headers=headers) as http:
                yield Host(http, listener, headers)
        finally:
            server.should_exit = True
            await task


def _listener(unix: Path | None) -> socket.socket:
    if unix is None:
        return socket.create_server(("127.0.0.1", 0))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(unix))
    listener.listen()
    return listener
