"""A real server in this process, on its own socket."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from ledgerpress.commands.client_identity import ANONYMOUS, FixedIdentity
from ledgerpress.features.registry import graphql_schema
from ledgerpress.graphql.limits.settings import Limits
from ledgerpress.http.app import Runtime, make_app
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.server.store import Store
from tests.integration.several_workers import app_of_workers, opened_store


@asynccontextmanager
async def serving(data: Path, settings: HttpSettings, limits: Limits | None = None) -> AsyncIterator[str]:
    """Serve a store to anonymous clients, and yield the address of the server."""

    def new_app(store: Store, runtime: Runtime) -> Starlette:
        return make_app(
            store,
            graphql_schema(),
            authenticator=FixedIdentity(ANONYMOUS),
            settings=settings,
            limits=limits,
            runtime=runtime,
        )

    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with opened_store(data) as store, app_of_workers(store, new_app) as app:
            config = uvicorn.Config(
                app,
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
