"""Metrics for Prometheus: counted as plain numbers, and converted when Prometheus requests them.

Each label has few values, and clients cannot choose any: no document, operation name, slug, token or address.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ledgerpress import __version__
from ledgerpress.eventlog.log_health import OPERATIONS, LogHealth
from ledgerpress.graphql.context import Store
from ledgerpress.http.health.metrics_of_workers import Aggregate, MetricsOfWorkers
from ledgerpress.http.other_workers import OtherWorkers
from ledgerpress.views.projection.checkpoints import Checkpoint
from ledgerpress.views.projection.lag import Lag, lags, node_lag

BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""The upper bounds of the histogram's buckets, in seconds."""


_LOWEST: Final[Mapping[str, Aggregate]] = dict.fromkeys(
    (
        "ledgerpress_views_readable",
        "ledgerpress_views_writable",
        "ledgerpress_views_since_seconds",
        "ledgerpress_log_reachable",
    ),
    "min",
)
"""Gauges of the store of which the lowest value of all workers is reported. Of the others, it is the greatest."""


@dataclass(frozen=True, slots=True)
class _Gauge:
    name: str
    documentation: str
    kind: Literal["counter", "gauge"]
    label: str | None
    aggregate: Aggregate
    read: Callable[[], float | Mapping[str, float]]


class Metrics(Collector):
    """The metrics of one process. `workers` combines them with those of the other workers of the server."""

    def __init__(self) -> None:
        self.workers: MetricsOfWorkers | None = None
        self._durations: dict[str, list[float]] = {}
        self._statuses: dict[tuple[str, int], int] = {}
        self._gauges: list[_Gauge] = []
        self._of_store: list[Metric] = []
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def request(self, kind: str, status: int, seconds: float) -> None:
        """Count a request. `kind` must be a value from a short fixed list."""
        durations = self._durations.get(kind)
        if durations is None:
            durations = self._durations[kind] = [0.0] * (len(BOUNDS) + 2)
        durations[bisect_left(BOUNDS, seconds)] += 1
        durations[-1] += seconds
        key = (kind, status)
        self._statuses[key] = self._statuses.get(key, 0) + 1

    def watch(
        self,
        name: str,
        documentation: str,
        read: Callable[[], float | Mapping[str, float]],
        *,
        kind: Literal["counter", "gauge"] = "gauge",
        label: str | None = None,
        aggregate: Aggregate = "sum",
    ) -> None:
        """Add a metric whose value `read` returns: a number or, with `label`, a number for each value of the label.

        The name gets the prefix `ledgerpress_`, and a counter the suffix `_total`. If the server has several workers,
        the values of a gauge are combined by `aggregate`; those of a counter are added.
        """
        self._gauges.append(_Gauge(name, documentation, kind, label, aggregate, read))

    def combine_with(self, workers: OtherWorkers, store: Store) -> None:
        """Report the metrics of this process to the other workers of the server, and `text` of all of them.

        Call this after the last `watch`.
        """
        added = {f"ledgerpress_{gauge.name}": gauge.aggregate for gauge in self._gauges}
        self.workers = MetricsOfWorkers(workers, lambda: self._families(store), {**added, **_LOWEST})

    async def close(self) -> None:
        """Leave the final counts of this process to the other workers of the server."""
        if self.workers is not None:
            await self.workers.close()

    async def text(self, store: Store, accept: str) -> tuple[bytes, str]:
        """Return the metrics and their media type, in the format that `accept`, an Accept header, requests."""
        families = _Families(await (self.workers.collect() if self.workers else self._families(store)))
        try:
            encode, media_type = choose_encoder(accept)
            return encode(families), media_type
        except (TypeError, ValueError):  # an unknown version or escaping in the header
            encode, media_type = choose_encoder("")
            return encode(families), media_type

    async def _families(self, store: Store) -> list[Metric]:
        points = store.checkpoints
        lag = await lags(store.log, points, store.clock.now(), store.log_health)
        self._of_store = [*_log(store.log_health, node_lag(lag)), *_views(store, points, lag)]
        return list(self._registry.collect())

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("ledgerpress", "The program.", {"version": __version__})
        yield from self._requests()
        for gauge in self._gauges:
            yield _family(gauge)
        yield from self._of_store

    def _requests(self) -> Iterator[Metric]:
        counts = CounterMetricFamily(
            "ledgerpress_requests", "Requests answered, by kind and HTTP status.", labels=["kind", "status"]
        )
        for (kind, status), count in self._statuses.items():
            counts.add_metric([kind, str(status)], count)
        yield counts
        times = HistogramMetricFamily(
            "ledgerpress_request_duration_seconds",
            "Time from the head of a request to the end of its response.",
            labels=["kind"],
        )
        for kind, durations in self._durations.items():
            buckets, total = [], 0.0
            for bound, number in zip((*map(str, BOUNDS), "+Inf"), durations, strict=False):
                total += number
                buckets.append((bound, total))
            times.add_metric([kind], buckets, durations[-1])
        yield times


class _Families(CollectorRegistry):
    """Families that have been collected, as the encoders of the library expect them."""

    def __init__(self, families: Sequence[Metric]) -> None:
        super().__init__(auto_describe=False)
        self._collected = families

    def collect(self) -> Iterator[Metric]:
        yield from self._collected


def _views(store: Store, points: Mapping[str, Checkpoint], lag: Mapping[str, Lag]) -> Iterator[Metric]:
    by_projection: dict[str, tuple[str, dict[str, float]]] = {
        "checkpoint": (
            "The position up to which the projection has applied the log.",
            {name: point.position for name, point in points.items()},
        ),
        "paused": (
            "1 while the projection is paused, otherwise 0.",
            {name: point.is_paused for name, point in points.items()},
        ),
        "lag_events": (
            "Events that the projection has not applied yet.",
            {name: behind.events for name, behind in lag.items() if behind.is_known},
        ),
        "lag_seconds": (
            "Age of the first event not yet applied or, while the log cannot be reached, time since the last contact.",
            {name: behind.seconds for name, behind in lag.items()},
        ),
    }
    for name, (documentation, values) in by_projection.items():
        family = GaugeMetricFamily(f"ledgerpress_projection_{name}", documentation, labels=["projection"])
        for projection, value in values.items():
            family.add_metric([projection], float(value))
        yield family
    file = {"file": store.views.path.name}
    yield InfoMetricFamily("ledgerpress_views", "The views file that responses are read from.", file)
    since = "When the server began to use the views file, in seconds since 1970, UTC."
    yield GaugeMetricFamily("ledgerpress_views_since_seconds", since, store.views.since / 1_000_000)
    health = store.views.health
    readable, writable = health.unreadable is None, health.unwritable is None
    yield GaugeMetricFamily("ledgerpress_views_readable", "1 while the views file can be read.", readable)
    yield GaugeMetricFamily("ledgerpress_views_writable", "1 while the views file can be written.", writable)
    damaged = "Damaged views files that this process has deleted, to rebuild the views."
    yield CounterMetricFamily("ledgerpress_views_damaged", damaged, store.views.damaged_files)


def _log(contact: LogHealth, node: Lag) -> Iterator[Metric]:
    gauges = {
        "log_reachable": ("1 while the log can be reached, otherwise 0.", float(node.is_known)),
        "clock_rejected": (
            "1 while nothing is recorded because the clock jumped, or is far ahead of the last recorded time.",
            float(contact.clock_problem is not None),
        ),
        "log_head": ("The greatest position that the log has reported.", contact.head),
        "log_silence_seconds": ("Time since the last contact with the log.", contact.silence),
        "lag_seconds": ("How long this node is, or may be, behind the log.", node.seconds),
    }
    if node.is_known:
        gauges["lag_events"] = ("Events that the slowest projection has not applied yet.", node.events)
    for name, (documentation, value) in gauges.items():
        yield GaugeMetricFamily(f"ledgerpress_{name}", documentation, value)
    failing = GaugeMetricFamily(
        "ledgerpress_log_failing",
        "1 while the operation fails: since a failed attempt, until one succeeds.",
        labels=["operation"],
    )
    failures = CounterMetricFamily(
        "ledgerpress_log_failures", "Failed attempts to read or write the log.", labels=["operation"]
    )
    for operation in OPERATIONS:
        failing.add_metric([operation], float(operation in contact.failing))
        failures.add_metric([operation], contact.failed[operation])
    yield from (failing, failures)
    reconnects, resolved, groups = (
        contact.counts.get(name, 0) for name in ("reconnects", "resolved", "groups")
    )
    counters = {
        "log_regained": ("How often contact with the log was lost and regained.", contact.regained),
        "log_reconnects": ("How often a connection to the log was reestablished.", reconnects),
        "log_append_groups": (
            "Transactions in which appends were recorded; several appends share one.",
            groups,
        ),
        "log_appends_resolved": (
            "Appends without a response whose result was determined later.",
            resolved,
        ),
        "log_appends_unresolved": (
            "Appends without a response whose result could not be determined.",
            contact.unresolved,
        ),
    }
    for name, (documentation, value) in counters.items():
        yield CounterMetricFamily(f"ledgerpress_{name}", documentation, value)


def _family(gauge: _Gauge) -> Metric:
    labels = [gauge.label] if gauge.label else []
    of_kind = CounterMetricFamily if gauge.kind == "counter" else GaugeMetricFamily
    family = of_kind(f"ledgerpress_{gauge.name}", gauge.documentation, labels=labels)
    value = gauge.read()
    for label, number in value.items() if isinstance(value, Mapping) else [("", value)]:
        family.add_metric([label] if gauge.label else [], number)
    return family
