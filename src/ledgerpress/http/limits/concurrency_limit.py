"""A bound on the requests that are worked on at a time: beyond it, the answer is 503 at once (RFC 9110, 15.6.4)."""

from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ledgerpress.http.errors import HttpError, retry_after
from ledgerpress.http.responses import send_refusal

_EXEMPT: Final = ("/health/", "/metrics")
"""Whoever watches over the server has to be answered most of all when it is busy."""
_STREAM: Final = b"text/event-stream"


@dataclass(slots=True)
class ConcurrencySlots:
    """How many requests may be worked on at a time, and how many are."""

    at_most: int
    taken: int = 0


class ConcurrencyLimit:
    """ASGI middleware. A stream of events gives its place back when it begins: it has bounds of its own."""

    def __init__(self, app: ASGIApp, *, places: ConcurrencySlots) -> None:
        self._app = app
        self._places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http" or scope["path"].startswith(_EXEMPT):
            await self._app(scope, receive, send)
            return
        if self._places.taken >= self._places.at_most:
            await send_refusal(
                send,
                HttpError(
                    503, "TOO_BUSY", "The server has too many requests to answer. Try again.", retry_after(1)
                ),
            )
            return
        place = _Place(self._places, send)
        try:
            await self._app(scope, receive, place)
        finally:
            place.give_back()


class _Place:
    """A place among the requests that are worked on, and the way of its answer out."""

    __slots__ = ("_among", "_held", "_send")

    def __init__(self, among: ConcurrencySlots, send: Send) -> None:
        self._among = among
        self._send = send
        self._held = True
        among.taken += 1

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_stream(message):
            self.give_back()
        await self._send(message)

    def give_back(self) -> None:
        if self._held:
            self._held = False
            self._among.taken -= 1


def _is_stream(message: Message) -> bool:
    for name, value in message.get("headers", ()):
        if name == b"content-type":
            return bool(value.startswith(_STREAM))
    return False
