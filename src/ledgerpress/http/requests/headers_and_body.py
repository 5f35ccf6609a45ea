"""Read the headers and the body of a GraphQL request within limits. The headers are checked before the body is read.

GET requests that pages of other sites could send through a visitor's browser (CSRF) are rejected. A browser lets any
page send a "simple" request to any site; before any other request it sends a CORS preflight (Fetch standard, 3.3). A
POST with the content type application/json is not simple. A GET is not simple if it has a header that a page cannot add
without a preflight.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from types import CoroutineType
from typing import Final

from starlette.types import Message, Receive

from ledgerpress.http.content_negotiation import is_json
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.http.request_rejection_error import HttpError
from ledgerpress.rest_of_started_coroutine import StartedCoroutine

# Several lines of a header with a list are joined (RFC 9110, 5.3). These headers would be ambiguous if repeated.
_SINGLE: Final = frozenset(
    {b"authorization", b"content-length", b"content-type", b"host", b"ledgerpress-min-position"}
)


def request_headers(raw: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return a request's headers by their names in lower case. Raises `HttpError`."""
    headers = dict(raw)
    if len(headers) == len(raw):
        return headers
    headers.clear()
    for name, value in raw:
        if name not in headers:
            headers[name] = value
        elif name in _SINGLE:
            raise repeated_header(name)
        else:
            headers[name] += b", " + value
    return headers


def repeated_header(name: bytes) -> HttpError:
    """Return the error for a header that a request may contain only once."""
    message = f"The request repeats the header {name.decode('ascii')}. Send it once."
    return HttpError(400, "BAD_REQUEST", message)


def check_query_string(query_string: bytes, settings: HttpSettings) -> None:
    if len(query_string) > settings.max_query_string_bytes:
        raise HttpError(
            414,
            "URI_TOO_LONG",
            f"The query string is longer than {settings.max_query_string_bytes:,} bytes: use POST.",
        )


def check_post(headers: Mapping[bytes, bytes], settings: HttpSettings) -> None:
    """Raise `HttpError` if the headers of a POST request announce a body that is not accepted."""
    content_type = headers.get(b"content-type", b"")
    if content_type != b"application/json" and not is_json(content_type):
        raise HttpError(
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            "Send the request with the content type application/json, in UTF-8.",
            (b"accept-post", b"application/json"),
        )
    encoding = headers.get(b"content-encoding")
    if encoding is not None and encoding.strip().lower() not in {b"identity", b""}:
        raise HttpError(
            415,
            "UNSUPPORTED_CONTENT_ENCODING",
            "Send the body of the request without a Content-Encoding.",
            (b"accept-encoding", b"identity"),
        )
    length = headers.get(b"content-length")
    if length is None:
        return
    if not length.isdigit():
        raise HttpError(400, "BAD_REQUEST", "The header Content-Length is not a number.")
    if len(length) > 15 or int(length) > settings.max_body_bytes:
        raise too_large(settings.max_body_bytes)


def too_large(max_bytes: int) -> HttpError:
    """Return the error for a body of more than `max_bytes`."""
    return HttpError(413, "REQUEST_TOO_LARGE", f"The body of the request is larger than {max_bytes:,} bytes.")


# A simple request cannot have these headers. The specification suggests the first; Apollo clients send the next two.
_PREFLIGHT_HEADERS: Final = (
    b"graphql-require-preflight",
    b"apollo-require-preflight",
    b"x-apollo-operation-name",
    b"ledgerpress-min-position",
)
_SAME_SITE: Final = frozenset({b"same-origin", b"none"})


def require_preflight(headers: Mapping[bytes, bytes]) -> None:
    """Raise `HttpError` for a GET request that a page of another site could send."""
    for name in _PREFLIGHT_HEADERS:
        if name in headers:
            return
    # A page of this site, or a URL that the user entered. Browsers set this header, and pages cannot change it.
    if headers.get(b"sec-fetch-site") in _SAME_SITE:
        return
    # Browsers never add a bearer token by themselves, but they do add credentials of other schemes.
    if headers.get(b"authorization", b"")[:7].lower() == b"bearer ":
        return
    if is_json(headers.get(b"content-type", b"")):
        return
    raise HttpError(
        403,
        "PREFLIGHT_REQUIRED",
        "A page of another origin could have sent this GET request (CSRF). Add the header GraphQL-Require-Preflight: 1"
        ", or use POST with the content type application/json.",
    )


class ClientDisconnected(Exception):
    """The client disconnected before it sent the whole request."""


async def read_body(receive: Receive, *, max_bytes: int, seconds: float) -> bytes:
    """Return the body of a request. Raises `HttpError` and `ClientDisconnected`.

    A small body has usually arrived already; then no timer is started.
    """
    pending, message = receive(), None
    if isinstance(pending, CoroutineType):
        try:
            pending = StartedCoroutine(pending, pending.send(None))
        except StopIteration as stop:
            message = stop.value
            if message["type"] == "http.request" and not message.get("more_body"):
                body: bytes = message.get("body", b"")
                if len(body) > max_bytes:
                    raise too_large(max_bytes) from None
                return body
    try:
        async with asyncio.timeout(seconds):
            return await _read_on(message or await pending, receive, max_bytes)
    except TimeoutError:
        raise HttpError(
            408,
            "REQUEST_TIMEOUT",
            f"The body of the request did not arrive within {seconds:g} seconds.",
            (b"connection", b"close"),
        ) from None


async def _read_on(message: Message, receive: Receive, max_bytes: int) -> bytes:
    body = bytearray()
    while True:
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        body += message.get("body", b"")
        if len(body) > max_bytes:
            raise too_large(max_bytes)
        if not message.get("more_body"):
            return bytes(body)
        message = await receive()


class BufferedReceive:
    """A `receive` that has already requested the first message. `whole` is the body if that message is complete."""

    __slots__ = ("_first", "_receive", "_waits", "whole")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._first: Message | None = None
        self._waits: Awaitable[Message] | None = None
        self.whole: bytes | None = None
        pending = receive()
        if not isinstance(pending, CoroutineType):
            self._waits = pending
            return
        try:
            wait = pending.send(None)
        except StopIteration as stop:
            message: Message = stop.value
            self._first = message
            if message["type"] == "http.request" and not message.get("more_body"):
                self.whole = message.get("body", b"")
        else:
            self._waits = StartedCoroutine(pending, wait)

    async def __call__(self) -> Message:
        first, self._first = self._first, None
        if first is not None:
            return first
        waits, self._waits = self._waits, None
        return await (waits or self._receive())
