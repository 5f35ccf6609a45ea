"""`LedgerPress-Position` on every response: the position of the views that it was read from."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ledgerpress.graphql.context import Store

POSITION_HEADER: Final = "LedgerPress-Position"
NAME: Final = b"ledgerpress-position"


class PositionHeader:
    """ASGI middleware. A response that has the header already keeps it."""

    def __init__(self, app: ASGIApp, *, store: Store) -> None:
        self._app = app
        self._store = store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def adding(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.get("headers", ())
                for name, _ in headers:
                    if name == NAME:
                        break
                else:
                    message["headers"] = [*headers, (NAME, b"%d" % self._store.position)]
            await send(message)

        await self._app(scope, receive, adding if scope["type"] == "http" else send)
