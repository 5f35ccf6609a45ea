"""Set up the tracer. OpenTelemetry is loaded only if traces are recorded."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from ledgerpress.http.middleware.telemetry import RequestSpans
from ledgerpress.server.tracing.settings import TracingSettings


class Tracer(Protocol):
    """Records spans."""

    @property
    def requests(self) -> RequestSpans:
        """The spans of requests."""
        ...

    def span(self, name: str) -> AbstractContextManager[object]:
        """Record a span of what happens inside the context."""
        ...

    def close(self) -> None:
        """Send the spans that were not sent yet."""
        ...


@contextmanager
def tracing(settings: TracingSettings) -> Iterator[Tracer | None]:
    """Yield a tracer, or `None` if no traces are recorded. Raises `TracingUnavailable`."""
    if settings.exporter == "none":
        yield None
        return
    from ledgerpress.server.tracing.spans import OpenTelemetry  # noqa: PLC0415 - loaded only if traces are recorded

    tracer = OpenTelemetry(settings)
    try:
        yield tracer
    finally:
        tracer.close()
