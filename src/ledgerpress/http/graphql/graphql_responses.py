"""An answer's status and headers: what kind of answer it is, for whom it may be kept, and how it is recognised."""

from typing import Final, NamedTuple

from ledgerpress.eventlog.clock import Clock
from ledgerpress.graphql.errors import LOG_UNAVAILABLE
from ledgerpress.graphql.response_cache import EncodedResponse
from ledgerpress.http.content_negotiation import GRAPHQL_RESPONSE, JSON
from ledgerpress.http.errors import Header, HttpError, retry_after
from ledgerpress.http.graphql import etags
from ledgerpress.http.middleware import position_header
from ledgerpress.http.settings import HttpSettings

# For whom an answer is, and of which position at least: caches have to tell these apart.
VARY: Final = (b"vary", b"Accept, Authorization, LedgerPress-Min-Position")
_CONTENT_TYPES: Final = {
    name: (b"content-type", f"{name}; charset=utf-8".encode("ascii")) for name in (GRAPHQL_RESPONSE, JSON)
}
_NOT_KEPT: Final = (b"cache-control", b"no-store")
_ERRORS: Final = b'{"errors"'
"""How an answer with errors begins: they stand first (GraphQL, section 7.1)."""

_AWAY: Final = f'"code":"{LOG_UNAVAILABLE}"'.encode()
"""What stands in an answer to what was not begun, since the log cannot be reached."""
_INTERNAL: Final = b'"code":"INTERNAL_SERVER_ERROR"'
"""What stands in an answer that failed by our fault. Inside a string the quotation marks would be escaped."""


class Response(NamedTuple):
    """What is sent."""

    status: int
    headers: list[Header]
    body: bytes


class GraphQLResponses:
    """Makes responses of answers and refusals, under the rules of the settings."""

    def __init__(self, settings: HttpSettings, clock: Clock) -> None:
        self._legacy_json = settings.legacy_json
        self._partial_status = settings.partial_status
        self._public_max_age = settings.public_max_age
        self._clock = clock

    def refused(self, refusal: HttpError, media_type: str | None) -> Response:
        """Return the response to a request that is refused. `media_type` is `None` where none is acceptable."""
        headers = [self._error_type(media_type), _NOT_KEPT, VARY, *refusal.headers]
        return Response(refusal.status, headers, refusal.body)

    def answered(self, ready: EncodedResponse, media_type: str, status_if_not_executed: int) -> Response:
        """Return the response with an answer that is for this client alone: to a POST, or with errors."""
        if ready.executed:
            status = 200
            if media_type == GRAPHQL_RESPONSE and ready.body.startswith(_ERRORS):
                status = self._partial_status
            content_type = _CONTENT_TYPES[media_type]
        elif _INTERNAL in ready.body:
            status, content_type = 500, self._error_type(media_type)
        elif _AWAY in ready.body:
            status, content_type = 503, self._error_type(media_type)
        elif self._legacy_json and media_type == JSON:
            status, content_type = 200, _CONTENT_TYPES[JSON]
        else:
            status, content_type = status_if_not_executed, self._error_type(media_type)
        headers = [content_type, _NOT_KEPT, VARY]
        if status == 503:
            headers.append(retry_after(1))
        if ready.position:  # without one nothing was read, and the response says how far the views are
            headers.insert(0, (position_header.NAME, b"%d" % ready.position))
        return Response(status, headers, ready.body)

    def kept(
        self, ready: EncodedResponse, media_type: str, if_none_match: bytes | None, *, public: bool
    ) -> Response:
        """Return the response to a GET with an answer that may be kept: the answer, or that the client has it."""
        tag = etags.entity_tag(ready.etag or etags.digest(ready.body), media_type)
        max_age = self._max_age(ready) if public else 0
        headers = [
            (position_header.NAME, b"%d" % ready.position),
            (b"etag", tag),
            (b"cache-control", etags.cache_control(public=public, max_age=max_age)),
            VARY,
        ]
        if etags.is_known(if_none_match, tag):
            return Response(304, headers, b"")
        headers.append(_CONTENT_TYPES[media_type])
        return Response(200, headers, ready.body)

    def may_be_kept(self, ready: EncodedResponse) -> bool:
        """Whether an answer is whole: one with errors may be another one the next time."""
        return ready.executed and not ready.body.startswith(_ERRORS)

    def depends_on_clock(self, ready: EncodedResponse) -> bool:
        """Whether the headers of an answer that may be kept are others at another moment."""
        return bool(self._public_max_age) and ready.expires_at is not None

    def _max_age(self, ready: EncodedResponse) -> int:
        if not self._public_max_age or ready.expires_at is None:
            return self._public_max_age
        return max(0, min(self._public_max_age, (ready.expires_at - self._clock.now()) // 1_000_000))

    def _error_type(self, media_type: str | None) -> Header:
        """Return the content type of an error, which intermediaries could have sent as well if it were plain JSON."""
        return _CONTENT_TYPES[media_type or JSON if self._legacy_json else GRAPHQL_RESPONSE]
