"""Answers as the messages of ASGI, without more in between than they need."""

from starlette.types import Send

from ledgerpress.http.content_negotiation import JSON
from ledgerpress.http.errors import Header, HttpError


async def send_answer(
    send: Send, status: int, headers: list[Header], body: bytes, *, head: bool = False
) -> None:
    """Send a whole answer. With `head`, its body is only counted (RFC 9110, 9.3.2)."""
    if status not in {204, 304}:
        headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else body})


async def send_refusal(send: Send, refusal: HttpError) -> None:
    """Send a refusal to a client of which nothing more is known, and which nobody keeps."""
    headers = [(b"content-type", JSON.encode("ascii")), (b"cache-control", b"no-store"), *refusal.headers]
    await send_answer(send, refusal.status, headers, refusal.body)
