"""Whole responses as ASGI messages."""

from typing import Final, NamedTuple

from starlette.types import Send

from ledgerpress.http.content_negotiation import JSON
from ledgerpress.http.errors import Header, HttpError

NOT_MODIFIED: Final = 304
POSITION_HEADER: Final = "LedgerPress-Position"
"""The position of the views that a response was read from; every response has it."""
POSITION: Final = POSITION_HEADER.lower().encode("ascii")
_WITHOUT_BODY: Final = frozenset({204, NOT_MODIFIED})


class Response(NamedTuple):
    """A response, without the length of its body."""

    status: int
    headers: list[Header]
    body: bytes


async def send_response(send: Send, response: Response, *, head: bool = False) -> None:
    """Send a response. To a HEAD request only the length of the body is sent (RFC 9110, 9.3.2)."""
    status, headers, body = response
    if status not in _WITHOUT_BODY:
        headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else body})


async def send_error(send: Send, error: HttpError) -> None:
    """Send an error as JSON, not to be cached."""
    headers = [(b"content-type", JSON.encode("ascii")), (b"cache-control", b"no-store"), *error.headers]
    await send_response(send, Response(error.status, headers, error.body))
