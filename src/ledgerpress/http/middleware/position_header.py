"""`LedgerPress-Position` on every response: how far the views had come, of which it was read."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ledgerpress.graphql.context import Store

POSITION_HEADER: Final = "LedgerPress-Position"
NAME: Final = b"ledgerpress-position"


class PositionHeader:
    """ASGI middleware. An answer that says itself of which position it is keeps that."""

    def __init__(self, app: ASGIApp, *, store: Store) -> None:
        self._app = app
        self._store = store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._app(scope, receive, _Positioned(send, self._store) if scope["type"] == "http" else send)


class _Positioned:
    __slots__ = ("_send", "_store")

    def __init__(self, send: Send, store: Store) -> None:
        self._send = send
        self._store = store

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = message.get("headers", ())
            for name, _ in headers:
                if name == NAME:
                    break
            else:
                message["headers"] = [*headers, (NAME, b"%d" % self._store.position)]
        await self._send(message)
