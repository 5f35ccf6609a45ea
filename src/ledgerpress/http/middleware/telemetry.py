"""Telemetry of every request: its trace, a line in the access log, metrics, and a span if tracing is on.

The middleware also adds the security headers and the position, so that each response is wrapped only once.

`traceparent` (W3C Trace Context, section 3.2) contains the trace id; an invalid value is ignored, as the specification
requires. `LedgerPress-Correlation-Id` and `LedgerPress-Causation-Id` are UUIDs that are recorded in events. Without a
correlation id in the request, it is derived from the trace id.
"""

import logging
import re
import secrets
import time
from collections.abc import Awaitable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Final, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.graphql.context import Store
from ledgerpress.graphql.request_telemetry_record import (
    ABORTED,
    CURRENT,
    OperationInfo,
    RequestContext,
    Trace,
)
from ledgerpress.http.health.metrics import Metrics
from ledgerpress.http.middleware.access_log import AccessLog
from ledgerpress.http.middleware.security_headers import SecurityHeaders
from ledgerpress.http.request_rejection_error import HttpError
from ledgerpress.http.requests.url_prefix_and_route_path import route_path, url_prefix
from ledgerpress.http.responses import NOT_MODIFIED, POSITION, send_error

TRACEPARENT: Final = b"traceparent"
CORRELATION: Final = b"ledgerpress-correlation-id"
CAUSATION: Final = b"ledgerpress-causation-id"
_HEADERS: Final = frozenset({TRACEPARENT, CORRELATION, CAUSATION})
_GRAPHQL_PATHS: Final = frozenset({"/graphql", "/graphql/stream"})
"""Paths that are dispatched without a route (`http/app.py`)."""
_TRACEPARENT: Final = re.compile(
    rb"(?!ff)(?P<version>[0-9a-f]{2})-(?!0{32})(?P<trace>[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?P<more>-.*)?"
)
_UUID: Final = re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def trace_of(headers: Iterable[tuple[bytes, bytes]]) -> Trace | None:
    """Return the trace of a request from its headers, if there is one. Raises `HttpError` for an invalid UUID."""
    values: dict[bytes, bytes] | None = None
    for name, value in headers:
        if name in _HEADERS:
            values = values or {}
            # Repeated headers are joined, and then invalid: it would be unclear which one an event should contain.
            values[name] = value if name not in values else values[name] + b", " + value
    if values is None:
        return None
    trace_id = trace_id_of(values.get(TRACEPARENT, b""))
    correlation, causation = _uuid(values, CORRELATION), _uuid(values, CAUSATION)
    if not (trace_id or correlation or causation):
        return None
    return Trace(trace_id, correlation or correlation_id(trace_id), causation)


def trace_id_of(traceparent: bytes) -> str | None:
    """Return the trace id in the value of a header `traceparent`, if it is valid."""
    match = _TRACEPARENT.fullmatch(traceparent.strip())
    if match is None or (match["version"] == b"00" and match["more"]):
        return None
    return match["trace"].decode("ascii")


def correlation_id(trace_id: str | None) -> str | None:
    """Return the correlation id for the events of a trace: always the same for the same trace."""
    return uuid8("trace", trace_id) if trace_id else None


def _uuid(values: dict[bytes, bytes], name: bytes) -> str | None:
    value = values.get(name)
    if value is None:
        return None
    if not _UUID.fullmatch(value):
        raise HttpError(400, "BAD_REQUEST", f"The header {name.decode('ascii')} must be a UUID.")
    return value.decode("ascii").lower()


logger = logging.getLogger(__name__)

_OF_HANDSHAKES: Final = {"websocket.accept": 101, "websocket.close": 403}
"""The status with which the server answers the handshake of a WebSocket, by the first message of the application."""


class RequestSpan(Protocol):
    @property
    def trace_id(self) -> str:
        """The id of the trace that the span belongs to."""

    def operation(self, operation: OperationInfo) -> AbstractContextManager[None]:
        """Start the span of an operation of the request. The span ends with the context."""

    def answered(self, kind: str, status: int, route: str | None) -> None:
        """Record the outcome of the request. `route` is the pattern of its path, if there is one."""


class RequestSpans(Protocol):
    def request(self, scope: Scope, context: RequestContext) -> AbstractContextManager[RequestSpan]:
        """Start the span of a request, in the trace that its headers name. The span ends with the context."""


@dataclass(slots=True, eq=False)
class Telemetry:
    """ASGI middleware around everything except the fast path."""

    app: ASGIApp
    store: Store
    headers: SecurityHeaders
    metrics: Metrics | None
    access_log: AccessLog | None
    spans: RequestSpans | None
    _prefix: str = field(default_factory=lambda: f"{secrets.token_hex(4)}-")
    """The prefix of each request id, so that the ids of two processes differ."""
    _number: int = 0

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "lifespan":
            return self.app(scope, receive, send)
        self._number += 1
        context = RequestContext(f"{self._prefix}{self._number:x}")
        if self.spans is None:
            return self._handle(context, scope, receive, send)
        return self._handle_in_span(self.spans, context, scope, receive, send)

    async def _handle_in_span(
        self, spans: RequestSpans, context: RequestContext, scope: Scope, receive: Receive, send: Send
    ) -> None:
        with spans.request(scope, context) as span:
            context.trace = Trace(span.trace_id, correlation_id(span.trace_id))
            context.spans = span
            await self._handle(context, scope, receive, send)
            span.answered(_kind(context, scope), context.status, _route(scope))

    async def _handle(self, context: RequestContext, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        headers = self.headers

        async def sending(message: Message) -> None:
            kind = message["type"]
            if kind == "http.response.start":
                status = context.status = message["status"]
                add = headers.added_to_not_modified if status == NOT_MODIFIED else headers.added
                sent = message["headers"] = add(list(message.get("headers", ())))
                for name, _ in sent:
                    if name == POSITION:
                        break
                else:
                    message["headers"] = [*sent, (POSITION, b"%d" % self.store.position)]
            elif context.status == ABORTED:
                context.status = _OF_HANDSHAKES.get(kind, ABORTED)
            await send(message)

        token = CURRENT.set(context)
        try:
            try:
                trace = trace_of(scope["headers"])
            except HttpError as error:
                await _reject(scope, sending, error)
            else:
                context.trace = _joined(trace, context.trace) if context.trace else trace
                await self.app(scope, receive, sending)
        except Exception:
            if context.status != ABORTED or scope["type"] != "http":
                raise  # Too late for another response: the server closes the connection and logs the error.
            context.error_ids.append(context.id)
            logger.exception("the request could not be answered", extra={"error_id": context.id})
            failure = "Something went wrong on the server."
            await send_error(sending, HttpError(500, "INTERNAL_SERVER_ERROR", failure, error_id=context.id))
        finally:
            seconds = time.perf_counter() - started
            if self.metrics:
                self.metrics.request(_kind(context, scope), context.status, seconds)
            if self.access_log:
                self.access_log.note(context, scope, context.status, seconds)
            CURRENT.reset(token)


def _joined(trace: Trace | None, span: Trace) -> Trace:
    """Return the trace of the span with the correlation and causation ids from the headers."""
    if trace is None:
        return span
    return Trace(span.trace_id, trace.correlation_id or span.correlation_id, trace.causation_id)


def _kind(context: RequestContext, scope: Scope) -> str:
    """Return the kind of a request: a value from a short fixed list, for metrics."""
    if context.operation is not None:
        return context.operation.type.value
    if scope["type"] == "websocket":
        return "websocket"
    path = route_path(scope)
    if path.startswith("/graphql"):
        return "graphql"
    if path.startswith("/static/"):
        return "static"
    if path.startswith(("/health/", "/metrics")):
        return "operations"
    return "page"


def _route(scope: Scope) -> str | None:
    """Return the pattern of a request's path, with the prefix of the application; `None` if no route matches."""
    path = route_path(scope)
    pattern = path if path in _GRAPHQL_PATHS else getattr(scope.get("route"), "path", None)
    return None if pattern is None else url_prefix(scope) + pattern


async def _reject(scope: Scope, send: Send, error: HttpError) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 4400, "reason": str(error)})
    else:
        await send_error(send, error)
