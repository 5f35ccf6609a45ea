"""Configures OpenTelemetry's SDK from the settings and from the standard environment variables (`OTEL_*`).

The SDK reads most variables itself: those of the exporter (`OTEL_EXPORTER_OTLP_*`), of batches (`OTEL_BSP_*`), of
limits (`OTEL_SPAN_*`) and of the sampler.
"""

import os
import sys
from collections.abc import Sequence
from typing import Any, Final

from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.semconv.attributes.service_attributes import SERVICE_NAME, SERVICE_VERSION

from ledgerpress import __version__
from ledgerpress.server.tracing.settings import SAMPLER, Exporter, TracingSettings, TracingUnavailable

_TIMEOUTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")
_EXPORT_TIMEOUT: Final = 5.0
"""Seconds for an export, if no variable sets them."""


def tracer_provider(settings: TracingSettings, exporter: Exporter) -> TracerProvider:
    """Return a provider that sends spans to `exporter`. Raises `TracingUnavailable`."""
    provider = TracerProvider(
        sampler=_sampler(settings), resource=_resource(settings), shutdown_on_exit=False
    )
    provider.add_span_processor(BatchSpanProcessor(_exporter(settings, exporter)))
    return provider


def propagator() -> TextMapPropagator:
    """Return the propagator that `OTEL_PROPAGATORS` names. Raises `TracingUnavailable` for unknown names."""
    try:
        from opentelemetry.propagate import (  # noqa: PLC0415 - reads the variable when it is imported
            get_global_textmap,
        )
    except ValueError as error:
        raise TracingUnavailable(f"OTEL_PROPAGATORS is invalid: {error}") from error
    return get_global_textmap()


class _LineExporter(SpanExporter):
    """An exporter that writes each span as a line to standard error."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        for span in spans:
            sys.stderr.write(span.to_json(indent=None) + "\n")
        sys.stderr.flush()
        return SpanExportResult.SUCCESS


def _sampler(settings: TracingSettings) -> Sampler | None:
    """Return the sampler, or `None` for the one that the environment names."""
    if settings.sample_ratio is None and os.environ.get(SAMPLER):
        return None
    ratio = TraceIdRatioBased(1.0 if settings.sample_ratio is None else settings.sample_ratio)
    # Clients do not determine how many requests are traced.
    return ParentBased(ratio, remote_parent_sampled=ratio, remote_parent_not_sampled=ratio)


def _resource(settings: TracingSettings) -> Resource:
    attributes: dict[str, Any] = {SERVICE_NAME: "ledgerpress", SERVICE_VERSION: __version__}
    attributes |= OTELResourceDetector().detect().attributes
    if settings.service_name is not None:
        attributes[SERVICE_NAME] = settings.service_name
    return Resource.create(attributes)


def _exporter(settings: TracingSettings, exporter: Exporter) -> SpanExporter:
    if exporter == "console":
        return _LineExporter()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - not with the SDK alone
            OTLPSpanExporter,
        )
    except ImportError as error:
        raise TracingUnavailable(
            "traces are sent with OTLP, which needs a package that is not installed: pip install ledgerpress[otel]"
        ) from error
    pairs = (pair.partition("=") for pair in settings.otlp_headers.split(",") if pair)
    headers = {name.strip(): value.strip() for name, _, value in pairs}
    timeout = None if any(os.environ.get(variable) for variable in _TIMEOUTS) else _EXPORT_TIMEOUT
    return OTLPSpanExporter(endpoint=settings.endpoint, headers=headers or None, timeout=timeout)
