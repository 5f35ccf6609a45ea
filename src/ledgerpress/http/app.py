"""The Starlette application on an open store."""

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ledgerpress.application.access import Door
from ledgerpress.graphql.context import Store
from ledgerpress.graphql.engine import Engine
from ledgerpress.graphql.limits.settings import Limits
from ledgerpress.http.graphql_endpoint import GraphQLEndpoint
from ledgerpress.http.health import Health
from ledgerpress.http.pages import Pages


def make_app(
    store: Store,
    *,
    door: Door,
    allowed_hosts: Sequence[str] = ("*",),
    open_past: bool = False,
    limits: Limits | None = None,
) -> Starlette:
    """Return the application. Whoever opened the store closes it when the application has stopped.

    `door` tells who a request comes from; `limits` what it may ask for, by default those of the development profile.

    A request for another host than `allowed_hosts` is refused, so that no foreign page reaches a local server by a
    name of its own (DNS rebinding). With `open_past`, everyone may see the past of what is public today.
    """
    pages, health = Pages(store), Health(store)
    endpoint = GraphQLEndpoint(Engine(limits=limits), store, door, open_past=open_past)

    async def graphql(request: Request) -> Response:
        return await (endpoint(request) if request.method == "POST" else pages.graphiql(request))

    return Starlette(
        routes=[
            Route("/graphql", graphql, methods=["GET", "POST"]),
            Route("/health/live", health.live),
            Route("/health/ready", health.ready),
            *pages.routes(),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(allowed_hosts))],
    )
