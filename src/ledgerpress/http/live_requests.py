"""Requests for event streams: GraphQL requests by GET and POST (GraphQL over HTTP, sections 5.3 and 5.4)."""

from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs

import msgspec
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

MAX_BODY_BYTES: Final = 1_000_000


class Asked(NamedTuple):
    """What a request asks for."""

    query: str
    variables: dict[str, Any] | None
    operation_name: str | None
    extensions: dict[str, Any]


class StreamRefused(Exception):
    """A request that is refused, with a status; the message is for the client."""

    def __init__(self, status: int, message: str = "", *, errors: list[dict[str, Any]] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.errors = errors or [{"message": message}]


class _Body(msgspec.Struct, rename="camel", frozen=True):
    query: str
    variables: dict[str, Any] | None = None
    operation_name: str | None = None
    extensions: dict[str, Any] | None = None


_decoder: Final = msgspec.json.Decoder(_Body)
_map_decoder: Final = msgspec.json.Decoder(dict[str, Any] | None)


async def read(scope: Scope, receive: Receive) -> Asked:
    """Return what a request asks for. Raises `StreamRefused`."""
    try:
        body = _of_query_string(scope) if scope["method"] == "GET" else await _of_body(scope, receive)
    except (msgspec.MsgspecError, UnicodeError, ValueError, RecursionError) as error:
        raise StreamRefused(400, f"This is not a GraphQL request: {error}.") from None
    return Asked(body.query, body.variables, body.operation_name, body.extensions or {})


async def answer(send: Send, status: int, body: bytes = b"", media_type: bytes = b"", *headers: Any) -> None:
    """Send a whole response."""
    head = [(b"content-length", b"%d" % len(body)), *headers]
    if media_type:
        head.append((b"content-type", media_type + b"; charset=utf-8"))
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


async def refuse(send: Send, refusal: StreamRefused, *headers: Any) -> None:
    """Send a refusal as a GraphQL response."""
    body = msgspec.json.encode({"errors": refusal.errors}, enc_hook=str)
    await answer(send, refusal.status, body, b"application/json", *headers)


def last_event_id(scope: Scope) -> int | None:
    """Return the position in Last-Event-ID, which browsers send when they come again (HTML, 9.2.4)."""
    value = Headers(scope=scope).get("last-event-id", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 16 else None


def prefers_event_stream(scope: Scope) -> bool:
    """Return whether a request would rather have an event stream than JSON: clients may list both."""
    stream = json = (0.0, 0)
    for number, part in enumerate(Headers(scope=scope).get("accept", "").lower().split(",")):
        media_type, *parameters = (one.strip() for one in part.split(";"))
        quality = (_quality(parameters), -number)
        if media_type == "text/event-stream":
            stream = max(stream, quality)
        elif media_type in {"application/json", "application/graphql-response+json"}:
            json = max(json, quality)
    return stream[0] > 0 and stream > json


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def _of_query_string(scope: Scope) -> _Body:
    found = parse_qs(scope["query_string"].decode("ascii"), errors="strict", max_num_fields=64)
    given = {name: values[0] for name, values in found.items()}
    if "query" not in given:
        raise StreamRefused(400, "The request has no query.")
    variables, extensions = (
        _map_decoder.decode(given[name].encode()) if name in given else None
        for name in ("variables", "extensions")
    )
    return _Body(given["query"], variables, given.get("operationName"), extensions)


async def _of_body(scope: Scope, receive: Receive) -> _Body:
    media_type, _, _ = Headers(scope=scope).get("content-type", "").partition(";")
    if media_type.strip().lower() != "application/json":
        raise StreamRefused(415, "Send the request as application/json.")
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise StreamRefused(413, f"The request is larger than {MAX_BODY_BYTES:,} bytes.")
        if not message.get("more_body"):
            return _decoder.decode(bytes(body))
