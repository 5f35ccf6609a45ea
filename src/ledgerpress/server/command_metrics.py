"""Watches what commands do: counts events for the metrics, and takes spans where traces are taken."""

from contextlib import AbstractContextManager

from ledgerpress.commands.instrumentation import NO_INSTRUMENTATION
from ledgerpress.http.health.metrics import Metrics
from ledgerpress.server.tracing.setup import Tracer


class CommandMetrics:
    """An observer of commands."""

    def __init__(self, tracer: Tracer | None) -> None:
        self._events = 0
        self._spans = tracer or NO_INSTRUMENTATION

    def span(self, name: str) -> AbstractContextManager[object]:
        """Take the time of what happens inside the context, where traces are taken."""
        return self._spans.span(name)

    def appended(self, events: int) -> None:
        """Count events that were recorded."""
        self._events += events

    def shown_by(self, metrics: Metrics) -> None:
        """Show the count among the metrics."""
        metrics.watch(
            "events_appended", "Events recorded by this process.", lambda: self._events, kind="counter"
        )
