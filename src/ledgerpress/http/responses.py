"""Send complete responses as ASGI messages, and choose the status and the headers of GraphQL responses."""

import hashlib
import re
from functools import lru_cache
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.types import Send

from ledgerpress.eventlog.clock_randomness_ids import Clock
from ledgerpress.graphql.results import EXECUTED, EncodedResult, ResultKind
from ledgerpress.http.content_negotiation import GRAPHQL_RESPONSE, JSON
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.http.request_rejection_error import Header, HttpError, retry_after

NOT_MODIFIED: Final = 304
POSITION_HEADER: Final = "LedgerPress-Position"
"""The header with the position of the views that a response was read from; every response has it."""
POSITION: Final = POSITION_HEADER.lower().encode("ascii")
_WITHOUT_BODY: Final = frozenset({204, NOT_MODIFIED})


class Response(NamedTuple):
    """A response. Its headers do not contain Content-Length; `send_response` adds it."""

    status: int
    headers: list[Header]
    body: bytes


async def send_response(send: Send, response: Response, *, head: bool = False) -> None:
    """Send a response. A HEAD request gets the length of the body, but not the body (RFC 9110, 9.3.2)."""
    status, headers, body = response
    if status not in _WITHOUT_BODY:
        headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else body})


async def send_error(send: Send, error: HttpError) -> None:
    """Send an error as JSON that must not be cached."""
    headers = [(b"content-type", JSON.encode("ascii")), (b"cache-control", b"no-store"), *error.headers]
    await send_response(send, Response(error.status, headers, error.body))


VARY: Final = (b"vary", b"Accept, Authorization, LedgerPress-Min-Position")
_CONTENT_TYPES: Final = {
    name: (b"content-type", f"{name}; charset=utf-8".encode("ascii")) for name in (GRAPHQL_RESPONSE, JSON)
}
_NO_STORE: Final = (b"cache-control", b"no-store")
# Responses of different media types need different entity tags (RFC 9110, 8.8.3).
_TAG_PREFIXES: Final = {GRAPHQL_RESPONSE: "g", JSON: "j"}
_MAX_CONDITION: Final = 4_096
"""Bytes of If-None-Match that are read; the rest of a longer value is ignored."""
_TAG: Final = re.compile(rb'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


class GraphQLResponses:
    """Creates responses from results and errors, with the statuses that the settings choose."""

    def __init__(self, settings: HttpSettings, clock: Clock) -> None:
        self._legacy_json = settings.legacy_json
        self._public_max_age = settings.public_max_age
        self._clock = clock
        self._statuses = {
            ResultKind.COMPLETE: 200,
            ResultKind.PARTIAL: settings.partial_status,
            ResultKind.SYNTAX_ERROR: 400,
            ResultKind.REQUEST_ERROR: settings.unprocessable_status,
            ResultKind.INTERNAL_ERROR: 500,
            ResultKind.UNAVAILABLE: 503,
            ResultKind.TIMEOUT: 504,
        }
        self._json_statuses = self._statuses | {ResultKind.PARTIAL: 200}
        if settings.legacy_json:
            self._json_statuses |= {ResultKind.SYNTAX_ERROR: 200, ResultKind.REQUEST_ERROR: 200}

    def error(self, error: HttpError, media_type: str | None) -> Response:
        """Return the response to a request that is not executed. `media_type` is `None` if none is acceptable."""
        headers = [self._error_type(media_type), _NO_STORE, VARY, *error.headers]
        return Response(error.status, headers, error.body)

    def uncacheable(self, result: EncodedResult, media_type: str) -> Response:
        """Return a response that no HTTP cache may store: the response to a POST, or one with errors."""
        kind = result.kind
        status = (self._json_statuses if media_type == JSON else self._statuses)[kind]
        content_type = _CONTENT_TYPES[media_type] if kind in EXECUTED else self._error_type(media_type)
        headers = [content_type, _NO_STORE, VARY]
        if kind is ResultKind.UNAVAILABLE:
            headers.append(retry_after(1))
        if result.position:  # 0 if nothing was read: `Telemetry` then adds the position of the views
            headers.insert(0, (POSITION, b"%d" % result.position))
        return Response(status, headers, result.body)

    def cacheable(
        self, result: EncodedResult, media_type: str, if_none_match: bytes | None, *, public: bool
    ) -> Response:
        """Return the response to a GET with a complete result: the result, or 304 if the client already has it."""
        tag = _entity_tag(result.etag or hashlib.blake2b(result.body, digest_size=16).hexdigest(), media_type)
        max_age = self._max_age(result) if public else 0
        headers = [
            (POSITION, b"%d" % result.position),
            (b"etag", tag),
            (
                b"cache-control",
                (b"public, " if public else b"private, ")
                + (b"max-age=%d" % max_age if max_age else b"no-cache"),
            ),
            VARY,
        ]
        if if_none_match is not None and matches_tag(if_none_match, tag):
            return Response(NOT_MODIFIED, headers, b"")
        headers.append(_CONTENT_TYPES[media_type])
        return Response(200, headers, result.body)

    def _max_age(self, result: EncodedResult) -> int:
        if not self._public_max_age or result.expires_at is None:
            return self._public_max_age
        return max(0, min(self._public_max_age, (result.expires_at - self._clock.now()) // 1_000_000))

    def _error_type(self, media_type: str | None) -> Header:
        """Return the content type of an error: a plain JSON error could also come from an intermediary."""
        return _CONTENT_TYPES[media_type or JSON if self._legacy_json else GRAPHQL_RESPONSE]


def _entity_tag(digest: str, media_type: str) -> bytes:
    """Return the entity tag of a result in a media type. `digest` may be quoted."""
    return f'"{_TAG_PREFIXES[media_type]}{digest.strip(chr(34))}"'.encode("ascii")


def matches_tag(if_none_match: bytes, tag: bytes) -> bool:
    """Return whether If-None-Match matches a tag, by weak comparison (RFC 9110, 13.1.2)."""
    return (
        if_none_match == tag or tag in _tags(if_none_match[:_MAX_CONDITION]) or if_none_match.strip() == b"*"
    )


def client_has(request: Request, tag: str) -> bool:
    """Return whether the client already has the content with an entity tag: If-None-Match matches it."""
    condition = request.headers.get("if-none-match")
    return condition is not None and matches_tag(condition.encode("latin-1"), tag.encode("ascii"))


@lru_cache(maxsize=256)
def _tags(if_none_match: bytes) -> frozenset[bytes]:
    return frozenset(_TAG.findall(if_none_match))
