"""Nodes of one publication in this process, each with its own data directory, on one log."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from ledgerpress.commands.client_identity import LOCAL_OPERATOR
from ledgerpress.features.registry import all_projectors, graphql_schema, page_contributions
from ledgerpress.features.tokens.anonymous_role_and_oidc_settings import AccessSettings
from ledgerpress.http.app import make_app
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.server.authenticator_and_first_admin_token import make_authenticator
from ledgerpress.server.store import Store, open_store
from ledgerpress.views.files.views_directory import ViewsDirectory
from tests.fixed_sources import SeededBytes
from tests.integration.graphql_client import ROOMY, ChosenIdentity, Client

MIN_POSITION = "LedgerPress-Min-Position"


class Node(Client):
    """A node: a client of its application, and the location of its views."""

    def __init__(
        self, http: httpx2.AsyncClient, store: Store, authenticator: ChosenIdentity, data: Path
    ) -> None:
        super().__init__(http, store, authenticator)
        self.data = data

    async def as_of(
        self, position: int, query: str, *, headers: Mapping[str, str] = {}, **variables: Any
    ) -> httpx2.Response:
        """Return the response to a request that requires views of at least `position`."""
        body = {"query": query, "variables": variables}
        return await self.http.post("/graphql", json=body, headers={MIN_POSITION: str(position), **headers})

    async def level(self) -> int:
        """Wait until the views have reached the head of the log; return its position."""
        head = await self.store.log.head()
        assert await self.store.views.wait_for(head, 20)
        return head

    @property
    def views(self) -> Path:
        """The views file in use."""
        path = ViewsDirectory(self.data, all_projectors()).current
        assert path
        return path


@asynccontextmanager
async def node(data: Path, log: str, *, tokens: bool = False) -> AsyncIterator[Node]:
    """Open a node in the directory `data` on the log at the URL `log`. With `tokens`, clients authenticate by token."""
    async with open_store(data, log=log, randomness=SeededBytes(str(data))) as store:
        authenticator = ChosenIdentity(LOCAL_OPERATOR)
        app = make_app(
            store,
            graphql_schema(),
            pages=page_contributions(),
            authenticator=make_authenticator(store, AccessSettings()) if tokens else authenticator,
            settings=HttpSettings.development(),
            limits=ROOMY,
        )
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
            yield Node(http, store, authenticator, data)
