"""OpenTelemetry spans: one for each request, one for its operation, and a few for each command, never one for each field.

Imported only if traces are recorded. Names and values follow OpenTelemetry's semantic conventions: "HTTP server spans"
(stable) and "GraphQL server spans". Of the texts of a client, spans contain the path, the host, the client's address
and program, the name of the operation, and its document without values. They never contain tokens or variables.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.semconv.attributes import error_attributes as errors
from opentelemetry.semconv.attributes import http_attributes as http
from starlette.types import Scope

from ledgerpress import __version__
from ledgerpress.graphql.documents import Operation
from ledgerpress.graphql.request_telemetry_record import ABORTED, OperationInfo, RequestContext
from ledgerpress.server.tracing.provider import propagator, tracer_provider
from ledgerpress.server.tracing.request_attributes import document_without_values, request_attributes
from ledgerpress.server.tracing.settings import Exporter, TracingSettings

GRAPHQL_DOCUMENT: Final = "graphql.document"
GRAPHQL_OPERATION_NAME: Final = "graphql.operation.name"
GRAPHQL_OPERATION_TYPE: Final = "graphql.operation.type"
"""These conventions are not stable yet, so the package of conventions has no public module for them."""
CLOSE_TIMEOUT: Final = 2.0
"""Seconds for which a process waits at its end until the last spans are sent."""
MAX_CHARACTERS: Final = 200
"""The maximum length of the name of an operation."""
CLIENT_DISCONNECTED: Final = "client_disconnected"
"""The value of `error.type` if there was no client left for the response."""
INTERNAL_ERROR: Final = "internal_error"
"""The value of `error.type` if the result of an operation contains the id of an internal error."""


class OpenTelemetry:
    def __init__(self, settings: TracingSettings, exporter: Exporter) -> None:
        """Record spans for `exporter`. Raises `TracingUnavailable`."""
        propagated = propagator()  # before the provider, which starts a thread
        self._provider = tracer_provider(settings, exporter)
        self._tracer = self._provider.get_tracer("ledgerpress", __version__)
        self.requests = RequestSpans(self._tracer, propagated)

    @contextmanager
    def span(self, name: str) -> Iterator[trace.Span]:
        """Record a span of what happens inside the context, as a child of the current one."""
        with _started(self._tracer, name) as span:
            yield span

    def close(self) -> None:
        """Send the spans that were not sent yet, if the collector accepts them within `CLOSE_TIMEOUT`."""
        closing = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        closing.start()
        closing.join(CLOSE_TIMEOUT)


class RequestSpans:
    """A recorder of one span for each request, as part of the trace that its headers name."""

    def __init__(self, tracer: trace.Tracer, propagator: TextMapPropagator) -> None:
        self._tracer = tracer
        self._propagator = propagator
        self._propagated = frozenset(name.lower().encode("ascii") for name in propagator.fields)

    @contextmanager
    def request(self, scope: Scope, context: RequestContext) -> Iterator["RequestSpan"]:
        """Record the span of a request, which ends with the context."""
        carrier = {
            name.decode("ascii"): value.decode("latin-1")
            for name, value in scope["headers"]
            if name in self._propagated
        }
        parent = self._propagator.extract(carrier, contexts.Context())
        attributes = request_attributes(scope)
        method = str(attributes[http.HTTP_REQUEST_METHOD])
        if method == http.HttpRequestMethodValues.OTHER.value:
            method = "HTTP"
        server = trace.SpanKind.SERVER
        with _started(self._tracer, method, parent, kind=server, attributes=attributes) as span:
            yield RequestSpan(self._tracer, span, method, context)


class RequestSpan:
    def __init__(self, tracer: trace.Tracer, span: trace.Span, method: str, context: RequestContext) -> None:
        self._tracer = tracer
        self._span = span
        self._method = method
        self._context = context

    @property
    def trace_id(self) -> str:
        return trace.format_trace_id(self._span.get_span_context().trace_id)

    @contextmanager
    def operation(self, operation: OperationInfo) -> Iterator[None]:
        """Record the span of a GraphQL operation of the request, which ends with the context."""
        failures = len(self._context.error_ids)
        with _started(self._tracer, operation.type.value, kind=trace.SpanKind.SERVER) as span:
            if span.is_recording():
                span.set_attribute(GRAPHQL_OPERATION_TYPE, operation.type.value)
                if operation.name:
                    span.set_attribute(GRAPHQL_OPERATION_NAME, operation.name[:MAX_CHARACTERS])
                if isinstance(operation, Operation):
                    span.set_attribute(GRAPHQL_DOCUMENT, document_without_values(operation.document))
            yield
            if len(self._context.error_ids) > failures:
                span.set_attribute(errors.ERROR_TYPE, INTERNAL_ERROR)
                span.set_status(trace.StatusCode.ERROR)

    def answered(self, kind: str, status: int, route: str | None) -> None:
        """Record the outcome of the request. `route` is the pattern of its path, if there is one."""
        span = self._span
        span.set_attribute("ledgerpress.request.id", self._context.id)
        span.set_attribute("ledgerpress.request.kind", kind)
        if route is not None:
            span.set_attribute(http.HTTP_ROUTE, route)
            span.update_name(f"{self._method} {route}")
        if status == ABORTED:
            span.set_attribute(errors.ERROR_TYPE, CLIENT_DISCONNECTED)
            return
        span.set_attribute(http.HTTP_RESPONSE_STATUS_CODE, status)
        if status >= 500:
            span.set_attribute(errors.ERROR_TYPE, str(status))
            span.set_status(trace.StatusCode.ERROR)


@contextmanager
def _started(
    tracer: trace.Tracer,
    name: str,
    parent: contexts.Context | None = None,
    *,
    kind: trace.SpanKind = trace.SpanKind.INTERNAL,
    attributes: dict[str, Any] | None = None,
) -> Iterator[trace.Span]:
    """Start a span that ends with the context."""
    with tracer.start_as_current_span(
        name,
        parent,
        kind=kind,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except Exception as error:
            # Only the type: the message of an exception may quote a client.
            span.set_attribute(errors.ERROR_TYPE, type(error).__qualname__)
            raise
