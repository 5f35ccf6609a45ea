"""Limit the number of concurrent requests: beyond it, requests get 503 at once (RFC 9110, 15.6.4)."""

from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ledgerpress.http.errors import HttpError, retry_after
from ledgerpress.http.responses import send_error

_EXEMPT: Final = ("/health/", "/metrics")
"""Operators need these most when the server is busy."""
_STREAM: Final = b"text/event-stream"


@dataclass(slots=True)
class ConcurrencySlots:
    """How many requests may be in progress at a time, and how many are."""

    at_most: int
    taken: int = 0


class ConcurrencyLimit:
    """ASGI middleware. An event stream releases its slot when it begins: streams have their own limits."""

    def __init__(self, app: ASGIApp, *, slots: ConcurrencySlots) -> None:
        self._app = app
        self._slots = slots

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or reject it."""
        if scope["type"] != "http" or scope["path"].startswith(_EXEMPT):
            await self._app(scope, receive, send)
            return
        slots = self._slots
        if slots.taken >= slots.at_most:
            await send_error(
                send,
                HttpError(
                    503, "TOO_BUSY", "The server has too many requests to answer. Try again.", retry_after(1)
                ),
            )
            return
        slots.taken += 1
        holds_slot = True

        async def releasing(message: Message) -> None:
            nonlocal holds_slot
            if holds_slot and message["type"] == "http.response.start":
                for name, value in message.get("headers", ()):
                    if name == b"content-type" and value.startswith(_STREAM):
                        holds_slot = False
                        slots.taken -= 1
            await send(message)

        try:
            await self._app(scope, receive, releasing)
        finally:
            if holds_slot:
                slots.taken -= 1
