"""Routes that features add: other than pages, they may take any method and return anything."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import msgspec
from starlette.requests import Request
from starlette.routing import BaseRoute

from ledgerpress.commands.client_identity import Authenticator, Identity
from ledgerpress.graphql.context import Store


@dataclass(frozen=True, slots=True)
class RouteContext:
    """What the routes of a feature work with. `settings` are those of the feature, `None` if it declares none."""

    store: Store
    authenticator: Authenticator
    settings: msgspec.Struct | None = None

    async def identify(self, request: Request) -> Identity:
        """Return the identity of the client. A route checks itself what it may do. Raises `Unauthenticated`."""
        return await self.authenticator.identify(request.headers.get("authorization"))


Routes: TypeAlias = Callable[[RouteContext], Sequence[BaseRoute]]
"""Returns the routes of a feature. They come after LedgerPress's own, and before its pages."""
