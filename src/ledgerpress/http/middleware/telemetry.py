"""Telemetry of every request: its context, a line in the access log, metrics, and a span where tracing is on.

It also adds the security headers and the position, so that responses are wrapped once.
"""

import logging
import time
from contextlib import AbstractContextManager
from typing import Final, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ledgerpress.graphql.context import Store, Trace
from ledgerpress.graphql.request_telemetry import CURRENT, RequestContext
from ledgerpress.http.errors import HttpError
from ledgerpress.http.health.metrics import Metrics
from ledgerpress.http.middleware.access_log import AccessLog
from ledgerpress.http.middleware.security_headers import SecurityHeaders
from ledgerpress.http.middleware.trace_context import BadTraceHeader, correlation_id, trace_of
from ledgerpress.http.responses import NOT_MODIFIED, POSITION, send_error

logger = logging.getLogger(__name__)

ABORTED: Final = 499
"""The status of a request whose client disconnected, or that was cancelled, before the response."""


class RequestSpan(Protocol):
    """The span of a request."""

    @property
    def trace_id(self) -> str:
        """The trace that it belongs to."""
        ...

    def answered(self, context: RequestContext, kind: str, status: int) -> None:
        """Record the outcome of the request."""
        ...


class RequestSpans(Protocol):
    """Starts a span for each request."""

    def request(self, scope: Scope) -> AbstractContextManager[RequestSpan]:
        """Start the span of a request, as part of the trace that its headers name; it ends with the context."""
        ...


class Telemetry:
    """ASGI middleware, around everything but the fast path."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        store: Store,
        headers: SecurityHeaders,
        metrics: Metrics | None,
        access_log: AccessLog | None,
        spans: RequestSpans | None,
        prefix: str,
    ) -> None:
        """`prefix` begins the id of each request, so that ids of two processes differ."""
        self._app = app
        self._store = store
        self._headers = headers
        self._metrics = metrics
        self._access_log = access_log
        self._spans = spans
        self._prefix = prefix
        self._number = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        self._number += 1
        context = RequestContext(f"{self._prefix}{self._number:x}")
        if self._spans is None:
            await self._handle(context, scope, receive, send)
            return
        with self._spans.request(scope) as span:
            context.trace = Trace(span.trace_id, correlation_id(span.trace_id))
            kind, status = await self._handle(context, scope, receive, send)
            span.answered(context, kind, status)

    async def _handle(
        self, context: RequestContext, scope: Scope, receive: Receive, send: Send
    ) -> tuple[str, int]:
        started = time.perf_counter()
        status = ABORTED
        headers = self._headers

        async def sending(message: Message) -> None:
            nonlocal status
            kind = message["type"]
            if kind == "http.response.start":
                status = message["status"]
                add = headers.added_to_not_modified if status == NOT_MODIFIED else headers.added
                sent = message["headers"] = add(list(message.get("headers", ())))
                for name, _ in sent:
                    if name == POSITION:
                        break
                else:
                    message["headers"] = [*sent, (POSITION, b"%d" % self._store.position)]
            elif kind == "websocket.accept":
                status = 101
            await send(message)

        token = CURRENT.set(context)
        try:
            try:
                trace = trace_of(scope["headers"])
            except BadTraceHeader as error:
                await _reject(scope, sending, str(error))
            else:
                context.trace = _joined(trace, context.trace) if context.trace else trace
                await self._app(scope, receive, sending)
        except Exception:
            if status != ABORTED or scope["type"] != "http":
                raise  # Too late for another response: the server closes the connection and logs the error.
            context.error_ids.append(context.id)
            logger.exception("the request could not be answered", extra={"error_id": context.id})
            failure = "Something went wrong on the server."
            await send_error(sending, HttpError(500, "INTERNAL_SERVER_ERROR", failure, error_id=context.id))
        finally:
            seconds = time.perf_counter() - started
            kind = _kind(context, scope)
            if self._metrics:
                self._metrics.request(kind, status, seconds)
            if self._access_log:
                self._access_log.note(context, scope, status, seconds)
            CURRENT.reset(token)
        return kind, status


def _joined(trace: Trace | None, span: Trace) -> Trace:
    """Return the trace of the span, with the ids that the headers of the request name."""
    if trace is None:
        return span
    return Trace(span.trace_id, trace.correlation_id or span.correlation_id, trace.causation_id)


def _kind(context: RequestContext, scope: Scope) -> str:
    """Return the kind of a request, one of a few words."""
    if context.operation is not None:
        return context.operation.type.value
    if scope["type"] == "websocket":
        return "websocket"
    path = scope["path"]
    if path.startswith("/graphql"):
        return "graphql"
    if path.startswith("/static/"):
        return "static"
    if path.startswith(("/health/", "/metrics")):
        return "operations"
    return "page"


async def _reject(scope: Scope, send: Send, message: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 4400, "reason": message})
    else:
        await send_error(send, HttpError(400, "BAD_REQUEST", message))
