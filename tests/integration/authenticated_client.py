"""Applications that authenticate clients by the Authorization header."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from starlette.applications import Starlette

from ledgerpress.commands.client_identity import Authenticator
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.features.registry import graphql_schema, page_contributions
from ledgerpress.features.tokens.anonymous_role_and_oidc_settings import AccessSettings
from ledgerpress.features.tokens.commands import CreateToken, new_secret, secret_hash
from ledgerpress.http.app import Runtime, make_app
from ledgerpress.server.authenticator_and_first_admin_token import make_authenticator
from ledgerpress.server.store import Store
from ledgerpress.views.projection.projector_interface_and_composition import Projector
from tests.fixed_sources import SeededBytes, SetClock
from tests.integration.graphql_client import Client
from tests.integration.several_workers import app_of_workers, opened_store


class Visitors(Client):
    """A client that sends requests with a token or anonymously."""

    def __init__(
        self,
        http: httpx2.AsyncClient,
        store: Store,
        authenticator: Authenticator,
        clock: SetClock,
        data: Path,
    ) -> None:
        super().__init__(http, store)
        self.authenticator = authenticator
        self.clock = clock
        self.data = data

    def show(self, token: str | None) -> None:
        """Send `token` with all later requests; `None` sends no token."""
        self.http.headers.pop("Authorization", None)
        if token is not None:
            self.http.headers["Authorization"] = f"Bearer {token}"

    async def refusal(self, authorization: str | bytes) -> str:
        """Return the error message for a request with this header, which must fail with status 401."""
        response = await self.http.post(
            "/graphql",
            json={"query": "{ __typename }"},
            headers=[
                (
                    b"Authorization",
                    authorization.encode() if isinstance(authorization, str) else authorization,
                )
            ],
        )
        assert response.status_code == 401, response.text
        message: str = response.json()["errors"][0]["message"]
        return message

    async def new_token(self, role: Role = Role.ADMIN, **options: Any) -> str:
        """Create a token in the store, as an operator does, and return its secret."""
        secret = new_secret(self.store.randomness)
        command = CreateToken(name="Robot", role=role, secret_hash=secret_hash(secret), **options)
        await self.store.commands.handle(command)
        return secret


@asynccontextmanager
async def visitors(
    data: Path,
    settings: AccessSettings | None = None,
    *,
    clock: SetClock | None = None,
    randomness: SeededBytes | None = None,
    projectors: Sequence[Projector] | None = None,
) -> AsyncIterator[Visitors]:
    """Open the store in `data` and yield a client of its application that sends no token yet."""
    clock = clock or SetClock()
    async with opened_store(
        data, clock=clock, randomness=randomness or SeededBytes(), projectors=projectors
    ) as store:
        authenticator = make_authenticator(store, settings or AccessSettings())

        def new_app(worker_store: Store, runtime: Runtime) -> Starlette:
            of_worker = authenticator
            if worker_store is not store:
                of_worker = make_authenticator(worker_store, settings or AccessSettings())
            return make_app(
                worker_store,
                graphql_schema(),
                pages=page_contributions(),
                authenticator=of_worker,
                runtime=runtime,
            )

        async with (
            app_of_workers(store, new_app, projectors=projectors) as app,
            httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://test") as http,
        ):
            yield Visitors(http, store, authenticator, clock, data)
