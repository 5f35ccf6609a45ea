"""A GraphQL client of the ASGI application on a real store."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import msgspec

from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR, Authenticator, Identity
from ledgerpress.features.registry import graphql_schema, page_contributions
from ledgerpress.graphql.limits.settings import Limits
from ledgerpress.http.app import make_app
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.server.store import Store, open_store
from ledgerpress.views.projection.projector_interface_and_composition import Projector
from tests.fixed_sources import SeededBytes, SetClock

ROOMY: Final = msgspec.structs.replace(
    Limits.development(), field_cost=10**9, type_cost=10**9, tell_cost=False
)
"""What a developer may ask for, however much it costs; and answers hold nothing but the data."""


class ChosenDoor:
    """Takes everyone for whoever a test says."""

    def __init__(self, who: Identity) -> None:
        self.who = who

    async def identify(self, authorization: str | None) -> Identity:
        """Return who comes in just now."""
        return self.who


class Client:
    """Sends GraphQL requests, and unpacks answers.

    Where the application has `door`, a test can act as anyone, and `do` and `write` come from `writer`.
    """

    def __init__(self, http: httpx2.AsyncClient, store: Store, door: ChosenDoor | None = None) -> None:
        self.http = http
        self.store = store
        self.writer: Identity = LOCAL_OPERATOR
        self._door = door or ChosenDoor(LOCAL_OPERATOR)

    @contextmanager
    def acting_as(self, who: Identity) -> Iterator[None]:
        """Be somebody else for a while."""
        before = self._door.who, self.writer
        self._door.who = self.writer = who
        try:
            yield
        finally:
            self._door.who, self.writer = before

    async def post(self, query: str, **variables: Any) -> httpx2.Response:
        body = json.dumps({"query": query, "variables": variables})
        return await self.http.post("/graphql", content=body, headers={"Content-Type": "application/json"})

    async def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Return the data of an answer that has no errors."""
        response = await self.post(query, **variables)
        body = response.json()
        assert "errors" not in body, body["errors"]
        data: dict[str, Any] = body["data"]
        return data

    async def errors(self, query: str, **variables: Any) -> list[dict[str, Any]]:
        """Return the top-level errors of an answer that has some."""
        found: list[dict[str, Any]] = (await self.post(query, **variables)).json()["errors"]
        return found

    async def do(self, mutation: str, fields: str = "", **given: Any) -> dict[str, Any]:
        """Carry out a mutation and return its payload."""
        kind = mutation[0].upper() + mutation[1:] + "Input"
        query = (
            f"mutation ($input: {kind}!) {{ {mutation}(input: $input) {{ position replayed viewsBehind"
            f" userErrors {{ code field message currentVersion }} {fields} }} }}"
        )
        with self.acting_as(self.writer):
            payload: dict[str, Any] = (await self.ask(query, input=given))[mutation]
        return payload

    async def write(self, title: str, **given: Any) -> dict[str, Any]:
        """Write a post and return it."""
        payload = await self.do("postCreate", "post { id slug version status }", title=title, **given)
        assert payload["userErrors"] == []
        post: dict[str, Any] = payload["post"]
        return post


@asynccontextmanager
async def client(
    data: Path,
    *,
    open_past: bool = False,
    clock: SetClock | None = None,
    settings: HttpSettings | None = None,
    door: Authenticator | None = None,
    projectors: Sequence[Projector] | None = None,
) -> AsyncIterator[Client]:
    """Open the store in `data` and lend a client of its application, by default with a developer's settings."""
    opening = open_store(data, clock=clock or SetClock(), randomness=SeededBytes(), projectors=projectors)
    async with opening as store:
        chosen = ChosenDoor(ANONYMOUS if open_past else LOCAL_OPERATOR)
        app = make_app(
            store,
            graphql_schema(),
            pages=page_contributions(),
            authenticator=door or chosen,
            settings=settings or HttpSettings.development(),
            limits=ROOMY,
            open_past=open_past,
        )
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
            yield Client(http, store, chosen)
