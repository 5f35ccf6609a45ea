"""What is seen of every request: one record, one line in the access log, one count, and a span where traces are taken.

Raw ASGI, since every request passes here; it also adds the security headers, so that answers are wrapped once.
"""

import logging
import time
from contextlib import AbstractContextManager
from typing import Final, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ledgerpress.graphql.context import Trace
from ledgerpress.graphql.request_context import CURRENT, RequestContext
from ledgerpress.http.errors import HttpError
from ledgerpress.http.health.metrics import Metrics
from ledgerpress.http.middleware.access_log import AccessLog
from ledgerpress.http.middleware.security_headers import SecurityHeaders
from ledgerpress.http.middleware.trace_context import BadTraceHeader, correlation_id, trace_of
from ledgerpress.http.responses import send_refusal

logger = logging.getLogger(__name__)

ABORTED: Final = 499
"""The status that is noted of a request whose client went away, or which was cut off, before it was answered."""
NOT_MODIFIED: Final = 304


class RequestSpan(Protocol):
    """The span of a request."""

    @property
    def trace_id(self) -> str:
        """The trace that it belongs to."""
        ...

    def answered(self, exchange: RequestContext, kind: str, status: int) -> None:
        """Note what came of the request."""
        ...


class RequestSpans(Protocol):
    """Takes a span for each request."""

    def request(self, scope: Scope) -> AbstractContextManager[RequestSpan]:
        """Begin the span of a request, as part of the trace that its headers name; it ends with the context."""
        ...


class Telemetry:
    """Around the application: sees each request come and its answer go."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        headers: SecurityHeaders,
        metrics: Metrics | None,
        access_log: AccessLog | None,
        spans: RequestSpans | None,
        prefix: str,
    ) -> None:
        """`prefix` begins the id of each request, so that no two processes give one twice."""
        self._app = app
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
        exchange = RequestContext(f"{self._prefix}{self._number:x}")
        if self._spans is None:
            await self._observed(exchange, scope, receive, send)
            return
        with self._spans.request(scope) as span:
            exchange.trace = Trace(span.trace_id, correlation_id(span.trace_id))
            kind, status = await self._observed(exchange, scope, receive, send)
            span.answered(exchange, kind, status)

    async def _observed(
        self, exchange: RequestContext, scope: Scope, receive: Receive, send: Send
    ) -> tuple[str, int]:
        started = time.perf_counter()
        status = ABORTED
        headers = self._headers

        async def sending(message: Message) -> None:
            nonlocal status
            kind = message["type"]
            if kind == "http.response.start":
                status = message["status"]
                given = list(message.get("headers", ()))
                # What was kept has the others, but takes over the `Vary` of what says that it may be used again.
                message["headers"] = (
                    headers.varying(given) if status == NOT_MODIFIED else headers.added(given)
                )
            elif kind == "websocket.accept":
                status = 101
            await send(message)

        noted = CURRENT.set(exchange)
        try:
            try:
                trace = trace_of(scope["headers"])
            except BadTraceHeader as error:
                await _refuse(scope, sending, str(error))
            else:
                exchange.trace = _joined(trace, exchange.trace)
                await self._app(scope, receive, sending)
        except Exception:
            if status != ABORTED or scope["type"] != "http":
                raise  # Too late for another answer: the server cuts the connection, and logs why.
            exchange.error_ids.append(exchange.id)
            logger.exception("the request could not be answered", extra={"error_id": exchange.id})
            failure = "Something went wrong on the server."
            await send_refusal(
                sending, HttpError(500, "INTERNAL_SERVER_ERROR", failure, error_id=exchange.id)
            )
        finally:
            seconds = time.perf_counter() - started
            kind = _kind(exchange, scope)
            if self._metrics:
                self._metrics.request(kind, status, seconds)
            if self._access_log:
                self._access_log.note(exchange, scope, status, seconds)
            CURRENT.reset(noted)
        return kind, status


def _joined(told: Trace | None, spanned: Trace | None) -> Trace | None:
    """Return what a request is part of: what its headers tell, and for the rest what its span does."""
    if told is None or spanned is None:
        return told or spanned
    return Trace(spanned.trace_id, told.correlation_id or spanned.correlation_id, told.causation_id)


def _kind(exchange: RequestContext, scope: Scope) -> str:
    """Return what was asked for, in one of a few words."""
    if exchange.operation is not None:
        return exchange.operation.type.value
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


async def _refuse(scope: Scope, send: Send, message: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 4400, "reason": message})
    else:
        await send_refusal(send, HttpError(400, "BAD_REQUEST", message))
