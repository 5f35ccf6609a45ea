"""A GraphQL client of the ASGI application on a real store."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import msgspec
from starlette.applications import Starlette

from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR, Authenticator, Identity
from ledgerpress.eventlog.clock_randomness_ids import Clock
from ledgerpress.features.registry import FEATURES, graphql_schema, page_contributions
from ledgerpress.graphql.limits.settings import Limits
from ledgerpress.http.app import Runtime, make_app
from ledgerpress.http.feature_routes import RouteContext
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.http.pages.interface_texts.translations import translations_of
from ledgerpress.server.store import Store
from ledgerpress.views.projection.projector_interface_and_composition import Projector
from tests.fixed_sources import SeededBytes, SetClock
from tests.integration.several_workers import app_of_workers, opened_store

ROOMY: Final = msgspec.structs.replace(
    Limits.development(), field_cost=10**9, type_cost=10**9, tell_cost=False
)
"""The limits of the development profile without cost limits; responses do not contain the cost."""


class ChosenIdentity:
    """An authenticator that gives every client the identity that a test chooses."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity

    async def identify(self, authorization: str | None) -> Identity:
        """Return the chosen identity."""
        return self.identity


class Client:
    """Sends GraphQL requests and unpacks responses.

    If `api` authenticates the application's clients, a test can act as any identity. `do` and `write` act as `writer`.
    """

    def __init__(
        self, http: httpx2.AsyncClient, store: Store, authenticator: ChosenIdentity | None = None
    ) -> None:
        self.http = http
        self.store = store
        self.writer: Identity = LOCAL_OPERATOR
        self._authenticator = authenticator or ChosenIdentity(LOCAL_OPERATOR)

    @contextmanager
    def acting_as(self, identity: Identity) -> Iterator[None]:
        """Use another identity until the end of the block."""
        before = self._authenticator.identity, self.writer
        self._authenticator.identity = self.writer = identity
        try:
            yield
        finally:
            self._authenticator.identity, self.writer = before

    async def post(self, query: str, **variables: Any) -> httpx2.Response:
        body = json.dumps({"query": query, "variables": variables})
        return await self.http.post("/graphql", content=body, headers={"Content-Type": "application/json"})

    async def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Return the data of the response, which must have no errors."""
        response = await self.post(query, **variables)
        body = response.json()
        assert "errors" not in body, body["errors"]
        data: dict[str, Any] = body["data"]
        return data

    async def errors(self, query: str, **variables: Any) -> list[dict[str, Any]]:
        """Return the top-level errors of the response, which must have some."""
        errors: list[dict[str, Any]] = (await self.post(query, **variables)).json()["errors"]
        return errors

    async def do(self, mutation: str, fields: str = "", **input: Any) -> dict[str, Any]:
        """Run a mutation and return its payload."""
        kind = mutation[0].upper() + mutation[1:] + "Input"
        query = (
            f"mutation ($input: {kind}!) {{ {mutation}(input: $input) {{ position replayed viewsBehind"
            f" userErrors {{ code field message currentVersion }} {fields} }} }}"
        )
        with self.acting_as(self.writer):
            payload: dict[str, Any] = (await self.ask(query, input=input))[mutation]
        return payload

    async def write(self, title: str, **input: Any) -> dict[str, Any]:
        """Create a post and return it."""
        payload = await self.do("postCreate", "post { id slug version status }", title=title, **input)
        assert payload["userErrors"] == []
        post: dict[str, Any] = payload["post"]
        return post


@asynccontextmanager
async def client(
    data: Path,
    *,
    open_past: bool = False,
    public_history: bool = False,
    clock: Clock | None = None,
    settings: HttpSettings | None = None,
    authenticator: Authenticator | None = None,
    projectors: Sequence[Projector] | None = None,
) -> AsyncIterator[Client]:
    """Open the store in `data` and yield a client of its application, by default with development settings."""
    opening = opened_store(
        data,
        clock=clock or SetClock(),
        randomness=SeededBytes(),
        projectors=projectors,
        public_history=public_history,
    )
    async with opening as store:
        chosen_identity = ChosenIdentity(ANONYMOUS if open_past else LOCAL_OPERATOR)

        def new_app(store: Store, runtime: Runtime) -> Starlette:
            return make_app(
                store,
                graphql_schema(),
                pages=page_contributions(),
                routes=FEATURES.routes(
                    lambda _: RouteContext(
                        store,
                        authenticator or chosen_identity,
                        open_past=open_past,
                        words=translations_of(page_contributions()).words,
                    )
                ),
                authenticator=authenticator or chosen_identity,
                settings=settings or HttpSettings.development(),
                limits=ROOMY,
                open_past=open_past,
                runtime=runtime,
            )

        async with (
            app_of_workers(store, new_app, projectors=projectors) as app,
            httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://test") as http,
        ):
            yield Client(http, store, chosen_identity)
