"""A real server in this process, on its own socket."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn

from ledgerpress.commands.client_identity import ANONYMOUS, FixedIdentity
from ledgerpress.features.registry import graphql_schema
from ledgerpress.graphql.limits.settings import Limits
from ledgerpress.http.app import make_app
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.server.store import open_store


@asynccontextmanager
async def serving(data: Path, settings: HttpSettings, limits: Limits | None = None) -> AsyncIterator[str]:
    """Serve a store to anonymous clients, and yield the address of the server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with open_store(data) as store:
            config = uvicorn.Config(
                make_app(
                    store,
                    graphql_schema(),
                    authenticator=FixedIdentity(ANONYMOUS),
                    settings=settings,
                    limits=limits,
                ),
                http="httptools",
                ws="none",
                log_config=None,
                access_log=False,
                lifespan="off",
            )
            server = uvicorn.Server(config)
            task = asyncio.create_task(server.serve(sockets=[listener]))
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                server.should_exit = True
                await task
