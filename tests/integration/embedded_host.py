"""The examples of docs/how-to/embed.md, served by a real uvicorn in this process or in its own, and their clients."""

import asyncio
import os
import re
import runpy
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

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
from ledgerpress.retry import poll
from ledgerpress.server.embedded_app import EmbeddedApp
from tests.integration.websocket_client import Socket

EXAMPLES: Final = Path(__file__).parents[2] / "docs" / "examples" / "embed"
STARLETTE: Final = "starlette_newsroom"
FASTAPI: Final = "fastapi_newsroom"
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 20.0
_SUBPROTOCOL: Final = Subprotocol("graphql-transport-ws")


def example(
    monkeypatch: pytest.MonkeyPatch,
    data: Path,
    environment: Mapping[str, str] | None = None,
    *,
    name: str = STARLETTE,
) -> tuple[Starlette, EmbeddedApp]:
    """Load an example with a store in `data`; return the host application and the LedgerPress application in it."""
    for variable, value in {"LEDGERPRESS_DATA": str(data), **(environment or {})}.items():
        monkeypatch.setenv(variable, value)
    names = runpy.run_path(str(EXAMPLES / f"{name}.py"))
    return names["app"], names["content"]


async def new_token(data: Path, role: Role, features: FeatureSet = FEATURES) -> dict[str, str]:
    """Return the header with a new token for the store in `data`, created as by `ledgerpress token create`."""
    created = await create_token(
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
    return {"Authorization": f"Bearer {created.secret}"}


@dataclass(frozen=True, slots=True)
class Host:
    """A client of a running server at `address`: a host and port, or the path of a Unix socket.

    Each request has `headers`, as if a proxy had added them.
    """

    http: httpx2.AsyncClient
    address: str | Path
    headers: Mapping[str, str] = field(default_factory=dict)

    @asynccontextmanager
    async def websocket(self, path: str) -> AsyncIterator[Socket]:
        """Open a WebSocket and initialise it."""
        is_unix = isinstance(self.address, Path)
        opening: Any = partial(unix_connect, str(self.address)) if is_unix else connect
        async with opening(
            uri=f"ws://{'localhost' if is_unix else self.address}{path}",
            subprotocols=[_SUBPROTOCOL],
            additional_headers=self.headers,
            compression=None,
            ping_interval=None,
        ) as connection:
            yield await Socket(connection).init()


@asynccontextmanager
async def client_of(address: str | Path, headers: Mapping[str, str] | None = None) -> AsyncIterator[Host]:
    """Yield a client of a running server."""
    is_unix = isinstance(address, Path)
    transport = httpx2.AsyncHTTPTransport(uds=str(address)) if is_unix else None
    base = "http://localhost" if is_unix else f"http://{address}"
    async with httpx2.AsyncClient(transport=transport, base_url=base, headers=headers or {}) as http:
        yield Host(http, address, headers or {})


@asynccontextmanager
async def served(
    app: ASGIApp, *, unix: Path | None = None, headers: Mapping[str, str] | None = None
) -> AsyncIterator[Host]:
    """Serve an application with its lifespan in this process, on a free port or a Unix socket; yield a client."""
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

        async def has_started() -> bool | None:
            return server.started or task.done() or None

        try:
            assert await poll(has_started, interval=0.01, timeout=_START_SECONDS)
            if task.done():
                await task
                raise AssertionError("the server has not started")
            address = unix or "{}:{}".format(*listener.getsockname())
            async with client_of(address, headers) as host:
                yield host
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


@asynccontextmanager
async def process(
    app: str,
    folder: Path,
    *options: str,
    environment: Mapping[str, str],
    code: Path = EXAMPLES,
    unix: Path | None = None,
) -> AsyncIterator[str | Path]:
    """Serve the application `app` from the folder `code` with the program uvicorn; yield its address.

    At the end, the process gets SIGTERM and must end its lifespan. Its output is written to a file in `folder`.
    """
    output = folder / "uvicorn.log"
    place = ["--port", "0"] if unix is None else ["--uds", str(unix)]
    with output.open("wb") as file:
        server = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "uvicorn", "--app-dir", str(code), *place, *options, app,
            stdin=asyncio.subprocess.DEVNULL, stdout=file, stderr=file,
            env={**os.environ, **environment},
        )  # fmt: skip

    async def address() -> str | Path | None:
        text = output.read_text("utf-8")
        assert server.returncode is None, text
        if unix is not None:
            return unix if "Uvicorn running on unix socket" in text else None
        match = re.search(r"Uvicorn running on http://([0-9.:]+)", text)
        return match and match[1]

    try:
        started: str | Path | None = await poll(address, interval=0.02, timeout=_START_SECONDS)
        assert started, output.read_text("utf-8")
        yield started
        server.send_signal(signal.SIGTERM)
        await asyncio.wait_for(server.wait(), _STOP_SECONDS)
        assert "Application shutdown complete" in output.read_text("utf-8")
    finally:
        if server.returncode is None:
            server.kill()
            await server.wait()
