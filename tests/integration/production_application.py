"""An application with production settings that accepts two tokens."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2
from starlette.applications import Starlette

from ledgerpress.commands.client_identity import (
    ANONYMOUS,
    LOCAL_OPERATOR,
    Identity,
    Unauthenticated,
)
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.features.registry import graphql_schema, page_contributions
from ledgerpress.http.app import Runtime, make_app
from ledgerpress.http.health.settings import HealthSettings, MetricsSettings
from ledgerpress.server.serving import CommandMetrics
from ledgerpress.server.store import Store
from tests.identities import identity
from tests.integration.several_workers import app_of_workers, opened_store

OPERATOR: Final = {"Authorization": "Bearer operator"}
EDITOR: Final = {"Authorization": "Bearer editor"}


class TwoTokens:
    """An authenticator that knows the tokens of an operator and an editor."""

    async def identify(self, authorization: str | None) -> Identity:
        match authorization:
            case None:
                return ANONYMOUS
            case "Bearer operator":
                return LOCAL_OPERATOR
            case "Bearer editor":
                return identity(Role.EDITOR, LOCAL_OPERATOR.actor_id)
            case _:
                raise Unauthenticated("This token is not known.")


@dataclass(frozen=True, slots=True)
class Operated:
    """A running application."""

    http: httpx2.AsyncClient
    store: Store
    running: Runtime

    async def post(
        self, query: str, headers: dict[str, str] | None = None, **variables: Any
    ) -> httpx2.Response:
        """Send a GraphQL request."""
        return await self.http.post(
            "/graphql", json={"query": query, "variables": variables}, headers=headers
        )


@asynccontextmanager
async def operated(
    data: Path, *, allowed_hosts: Sequence[str] = ("*",), **settings: Any
) -> AsyncIterator[Operated]:
    """Run an application on the store in `data`; `settings` are arguments of `Runtime`."""
    production: dict[str, Any] = {"health": HealthSettings(), "exposure": MetricsSettings()}
    production["stopping"] = asyncio.Event()
    command_metrics = CommandMetrics(None)
    of_worker = [*(CommandMetrics(None) for _ in range(3)), command_metrics]

    def new_app(store: Store, runtime: Runtime) -> Starlette:
        return make_app(
            store,
            graphql_schema(),
            pages=page_contributions(),
            authenticator=TwoTokens(),
            allowed_hosts=allowed_hosts,
            runtime=runtime,
        )

    def new_runtime() -> Runtime:
        runtime = Runtime(**(production | settings))
        of_worker.pop().register(runtime.metrics)
        return runtime

    async with (
        opened_store(data, instrumentation=command_metrics) as store,
        app_of_workers(store, new_app, new_runtime) as app,
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://test") as http,
    ):
        yield Operated(http, store, app.state.runtime)
