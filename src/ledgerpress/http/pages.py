"""Pages to look at."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute

from ledgerpress.graphql.context import Store


class Pages:
    """The pages of the site."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[BaseRoute]:
        """Return the routes of the pages."""
        return []

    async def graphiql(self, _: Request) -> Response:
        """Return the page with GraphiQL."""
        return PlainTextResponse("POST a GraphQL request here.")
