"""The Starlette application on an open store."""

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ledgerpress.application.access import Door
from ledgerpress.graphql.context import Store
from ledgerpress.graphql.engine import Engine
from ledgerpress.http.graphql_endpoint import GraphQLEndpoint
from ledgerpress.http.pages import Pages
from ledgerpress.http.running import Running


def make_app(
    store: Store,
    *,
    door: Door,
    allowed_hosts: Sequence[str] = ("*",),
    open_past: bool = False,
    running: Running | None = None,
) -> Starlette:
    """Return the application. Whoever opened the store closes it when the application has stopped.

    `door` tells who a request comes from. `running` says how the application is run; it stands in `app.state.running`.

    A request for another host than `allowed_hosts` is refused, so that no foreign page reaches a local server by a
    name of its own (DNS rebinding). With `open_past`, everyone may see the past of what is public today.
    """
    running = running or Running()
    pages = Pages(store)
    endpoint = GraphQLEndpoint(Engine(), store, door, open_past=open_past)

    async def graphql(request: Request) -> Response:
        return await (endpoint(request) if request.method == "POST" else pages.graphiql(request))

    app = Starlette(
        routes=[
            Route("/graphql", graphql, methods=["GET", "POST"]),
            *running.routes(store, door),
            *pages.routes(),
        ],
        middleware=running.middleware(allowed_hosts),
    )
    app.state.running = running
    return app
