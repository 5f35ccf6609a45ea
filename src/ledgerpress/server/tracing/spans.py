"""OpenTelemetry spans: one for each request and a few for each command, never one for each field.

Imported only if traces are recorded. The operation's name is the only text of a client that a span contains.
"""

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import Scope

from ledgerpress import __version__
from ledgerpress.graphql.request_telemetry_record import RequestContext
from ledgerpress.server.tracing.settings import TracingSettings, TracingUnavailable

CLOSE_TIMEOUT: Final = 2.0
"""Seconds for which a process waits at its end until the last spans are sent."""
_PROPAGATED: Final = (b"traceparent", b"tracestate")
_propagator = TraceContextTextMapPropagator()


class OpenTelemetry:
    def __init__(self, settings: TracingSettings) -> None:
        ratio = TraceIdRatioBased(settings.sample_ratio)
        resource = Resource.create({"service.name": settings.service_name, "service.version": __version__})
        self._provider = TracerProvider(
            # Clients do not determine how many requests are traced.
            sampler=ParentBased(ratio, remote_parent_sampled=ratio, remote_parent_not_sampled=ratio),
            resource=resource,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(_exporter(settings)))
        self._tracer = self._provider.get_tracer("ledgerpress", __version__)
        self.requests = RequestSpans(self._tracer)

    @contextmanager
    def span(self, name: str) -> Iterator[trace.Span]:
        """Record a span of what happens inside the context, as a child of the current one."""
        with self._tracer.start_as_current_span(
            name, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except Exception as error:
                # Only the type: the message of an exception may quote a client.
                span.set_attribute("error.type", type(error).__qualname__)
                raise

    def close(self) -> None:
        """Send the spans that were not sent yet, if the collector accepts them within `CLOSE_TIMEOUT`."""
        closing = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        closing.start()
        closing.join(CLOSE_TIMEOUT)


class RequestSpans:
    """A recorder of one span for each request, as part of the trace that its headers name."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    @contextmanager
    def request(self, scope: Scope) -> Iterator["RequestSpan"]:
        """Record the span of a request, which ends with the context."""
        carrier = {
            name.decode("ascii"): value.decode("latin-1")
            for name, value in scope["headers"]
            if name in _PROPAGATED
        }
        parent = _propagator.extract(carrier, contexts.Context())
        with self._tracer.start_as_current_span(
            scope.get("method", "WEBSOCKET"),
            parent,
            kind=trace.SpanKind.SERVER,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            yield RequestSpan(span)


class RequestSpan:
    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def trace_id(self) -> str:
        return trace.format_trace_id(self._span.get_span_context().trace_id)

    def answered(self, exchange: RequestContext, kind: str, status: int) -> None:
        self._span.set_attribute("ledgerpress.request.id", exchange.id)
        self._span.set_attribute("ledgerpress.request.kind", kind)
        self._span.set_attribute("http.response.status_code", status)
        if exchange.operation is not None:
            self._span.set_attribute("graphql.operation.type", exchange.operation.type.value)
            self._span.set_attribute("graphql.operation.name", (exchange.operation.name or "")[:200])
        self._span.update_name(kind)
        if status >= 500:
            self._span.set_status(trace.StatusCode.ERROR)


class _LineExporter(SpanExporter):
    """An exporter that writes each span as a line to standard error."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        for span in spans:
            sys.stderr.write(span.to_json(indent=None) + "\n")
        sys.stderr.flush()
        return SpanExportResult.SUCCESS


def _exporter(settings: TracingSettings) -> SpanExporter:
    if settings.exporter == "console":
        return _LineExporter()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - an extra
            OTLPSpanExporter,
        )
    except ImportError as error:
        raise TracingUnavailable(
            "tracing.exporter is otlp, which needs a package that is not installed: pip install ledgerpress[otlp]"
        ) from error
    pairs = (pair.partition("=") for pair in settings.otlp_headers.split(",") if pair)
    headers = {name.strip(): value.strip() for name, _, value in pairs}
    return OTLPSpanExporter(endpoint=settings.endpoint, headers=headers, timeout=5)
