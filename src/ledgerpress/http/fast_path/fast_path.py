"""The middleware of the fast path. The docstring of the package states its contract."""

import secrets
import time
from collections.abc import Awaitable, Hashable
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ledgerpress.bounded_cache import BoundedCache
from ledgerpress.commands.client_identity import Authenticator, Identity
from ledgerpress.graphql.cached_executor import CachedExecutor
from ledgerpress.graphql.documents import Operation
from ledgerpress.graphql.request_telemetry_record import ABORTED, OperationInfo, RequestContext
from ledgerpress.graphql.response_cache import CacheableStore
from ledgerpress.graphql.results import EncodedResult
from ledgerpress.http.fast_path.uvicorn_fast_send import (
    EncodedHead,
    is_sent_at_once,
    send_complete,
    send_encoded,
    send_now,
)
from ledgerpress.http.health.metrics import Metrics
from ledgerpress.http.limits import ConcurrencySlots, RateLimiter
from ledgerpress.http.middleware.access_log import AccessLog
from ledgerpress.http.persisted_documents import PersistedDocuments
from ledgerpress.http.request_rejection_error import Header
from ledgerpress.http.requests.graphql_request import GraphQLRequest
from ledgerpress.http.requests.headers_and_body import BufferedReceive
from ledgerpress.http.requests.url_prefix_and_route_path import route_path

NOTE: Final = "ledgerpress.repeatable"
"""The key of the mark in the ASGI scope."""


class RepeatableRequest(NamedTuple):
    """A request that was answered with the cached result of `key`.

    `named` is the parsed request if it names its document by an identifier, which may later become unknown.
    """

    body: bytes
    key: Hashable
    result: EncodedResult
    identity: Identity
    operation: Operation
    named: GraphQLRequest | None


PATH: Final = "/graphql"
MAX_BYTES: Final = 4 * 2**20
"""Approximate memory limit for known requests."""
_MAX_REQUEST_BYTES: Final = 8_192
"""Larger requests take the normal path each time."""
_ENTRY_BYTES: Final = 3_000
"""Approximate memory of a known request in addition to its bytes."""
_IGNORED: Final = frozenset(
    {b"forwarded", b"user-agent", b"via", b"x-forwarded-for", b"x-real-ip", b"x-request-id"}
)
"""Headers that do not affect the response. The address of the client comes from the scope."""


Head: TypeAlias = tuple[object, ...]
"""The method, the query string and the headers of a request, without ignored headers."""


class _KnownRequest(NamedTuple):
    """A request that was answered before, with the head of its response."""

    key: Hashable
    etag: str | None
    position: int
    identity: Identity
    text: str
    registered_as: str | None
    operation: OperationInfo
    kind: str
    head: EncodedHead


@dataclass(slots=True, eq=False)
class _KnownBodies:
    """Known requests with the same head, by their bodies."""

    size: int
    by_body: dict[bytes, _KnownRequest] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class FastPath:
    """The outermost ASGI middleware. It never answers requests with a token, or with rate limit headers."""

    app: ASGIApp
    cached_executor: CachedExecutor
    store: CacheableStore
    persisted: PersistedDocuments
    rates: RateLimiter
    authenticator: Authenticator
    slots: ConcurrencySlots
    metrics: Metrics | None
    access_log: AccessLog | None
    _prefix: str = field(default_factory=lambda: f"{secrets.token_hex(4)}-")
    _number: int = 0
    _known: BoundedCache[Hashable, _KnownBodies] = field(
        default_factory=lambda: BoundedCache(max_bytes=MAX_BYTES, size_of=lambda _, known: known.size)
    )

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer a repeated request, and pass any other request to the application."""
        if scope["type"] != "http" or route_path(scope) != PATH:
            return self.app(scope, receive, send)
        head = (
            scope["method"],
            scope["query_string"],
            *[header for header in scope["headers"] if header[0] not in _IGNORED],
        )
        try:
            bodies = self._known.get(head)
        except TypeError:  # ASGI allows headers that are lists
            return self.app(scope, receive, send)
        if bodies is None:
            return self.app(scope, receive, _Sending(self, head, scope, send))
        return self._answer(head, bodies, scope, receive, send)

    async def _answer(
        self, head: Head, bodies: _KnownBodies, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer a request with a known head, or pass it to the application."""
        started = time.perf_counter()
        body: bytes | None = b""
        if scope["method"] == "POST":
            buffered = BufferedReceive(receive)
            receive = buffered
            body = buffered.whole
        known = None if body is None else bodies.by_body.get(body)
        if known is not None:
            try:
                identity = await self.authenticator.identify(None)
                result = self._current_result(known, identity, scope)
            except Exception:  # noqa: BLE001 - it also fails on the normal path, which reports the error
                result = None
            if result is not None:
                await self._send(known, result, scope, send, started)
                return
        await self.app(scope, receive, _Sending(self, head, scope, send))

    def _current_result(self, known: _KnownRequest, identity: Identity, scope: Scope) -> EncodedResult | None:
        """Return the result if all checks pass. Count the request only in that case. Raises an exception if one fails."""
        result = self.cached_executor.get(self.store, known.key)
        if (
            result is None
            or result.position != known.position
            or result.etag != known.etag
            or identity != known.identity
            or self.slots.in_use >= self.slots.at_most
            or (known.registered_as and not self.persisted.is_registered(known.registered_as, known.text))
        ):
            return None
        self.rates.take(scope, identity)
        self.cached_executor.counts.hits += 1
        return result

    async def _send(
        self, known: _KnownRequest, result: EncodedResult, scope: Scope, send: Send, started: float
    ) -> None:
        slots, status = self.slots, ABORTED
        slots.in_use += 1
        try:
            if not send_now(send, known.head, result.body):
                await send_encoded(send, known.head, result.body)
            status = known.head.status
        finally:
            slots.in_use -= 1
            seconds = time.perf_counter() - started
            if self.metrics:
                self.metrics.request(known.kind, status, seconds)
            if self.access_log:
                self._number += 1
                context = RequestContext(f"{self._prefix}{self._number:x}", operation=known.operation)
                self.access_log.note(context, scope, status, seconds)

    def learn(self, head: Head, scope: Scope, status: int, headers: list[Header]) -> None:
        """Store the head of the response to a request that is marked as repeatable."""
        request: RepeatableRequest = scope[NOTE]
        bodies = self._known.get(head)
        known = bodies.by_body.get(request.body) if bodies else None
        result = request.result
        if known and known[:4] == (request.key, result.etag, result.position, request.identity):
            return  # the stored head is current: another check failed
        size = len(request.body) + sum(len(name) + len(value) for name, value in scope["headers"])
        size += len(scope["query_string"])
        if size > _MAX_REQUEST_BYTES:
            return
        if bodies is None or (known is None and bodies.size > MAX_BYTES // 8):
            bodies = _KnownBodies(size)
        if known is None:
            bodies.size += _ENTRY_BYTES + 2 * len(request.body)
        bodies.by_body[request.body] = _KnownRequest(
            request.key,
            result.etag,
            result.position,
            request.identity,
            request.operation.text,
            self.persisted.registered_as(request.named) if request.named else None,
            OperationInfo(
                request.operation.type, request.operation.name
            ),  # without its document, to save memory
            request.operation.type.value,
            EncodedHead(status, headers),
        )
        self._known.put(head, bodies)


class _Sending:
    """A `send` that stores the head of a response, if the endpoint has marked the request.

    It passes a complete response to uvicorn at once.
    """

    __slots__ = ("_fast_path", "_head", "_scope", "_send", "_start")

    def __init__(self, fast_path: FastPath, head: Head, scope: Scope, send: Send) -> None:
        self._fast_path = fast_path
        self._head = head
        self._scope = scope
        self._send = send
        self._start: Message | None = None

    async def __call__(self, message: Message) -> None:
        start, self._start = self._start, None
        if start is not None:
            await send_complete(self._send, start, message)
            return
        if message["type"] == "http.response.start":
            if NOTE in self._scope:
                self._fast_path.learn(self._head, self._scope, message["status"], list(message["headers"]))
            if is_sent_at_once(self._send, message):
                self._start = message
                return
        await self._send(message)
