"""Combines the metrics of all workers of a server, so that any of them can answer a request for metrics.

Counters and histograms are added. They never fall when a worker ends: the last known counts of ended workers are in a
file that all workers share. A gauge is added, or is the greatest or the lowest value, as `Metrics` declares. The metrics
of the operating system (`process_…`) are about one process, so they get the label `worker`.
"""

import asyncio
import fcntl
import operator
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

import msgspec
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from ledgerpress.http.other_workers import NoResponse, OtherWorkers

Aggregate = Literal["sum", "max", "min"]
"""How the values of a gauge in several workers become one."""

_METRICS: Final = "metrics"
"""The kind of the request with which a worker asks another one."""
_TIMEOUT: Final = 2.0
"""Seconds for the metrics of another worker, which may wait a second for the log."""
_PROCESS: Final = "process_"
_COUNTED: Final = frozenset({"counter", "histogram"})
_FUNCTIONS: Final[Mapping[Aggregate, Callable[[float, float], float]]] = {
    "sum": operator.add,
    "max": max,
    "min": min,
}
_MAX_ENDED: Final = 100
"""Ended workers whose counts are stored separately: a worker that only seemed to have ended is not counted twice."""
_LOCK_ATTEMPTS: Final = 50
_LOCK_DELAY: Final = 0.002

_Labels = tuple[tuple[str, str], ...]
_Key = tuple[str, _Labels]
_Counts = dict[_Key, float]


class _Sample(msgspec.Struct, array_like=True):
    name: str
    labels: dict[str, str]
    value: float


class _Family(msgspec.Struct, array_like=True):
    name: str
    documentation: str
    type: str
    samples: list[_Sample]


class _Counted(msgspec.Struct):
    """Counts of workers: the last known ones of each, and the sums of those that ended long ago."""

    workers: dict[int, list[_Sample]] = msgspec.field(default_factory=dict)
    ended: list[_Sample] = msgspec.field(default_factory=list)


class MetricsOfWorkers:
    """The metrics of all workers. `own` returns the families of this worker, `aggregates` the rule of each gauge."""

    def __init__(
        self,
        workers: OtherWorkers,
        own: Callable[[], Awaitable[list[Metric]]],
        aggregates: Mapping[str, Aggregate],
    ) -> None:
        self._workers = workers
        self._own = own
        self._aggregates = aggregates
        self._counts = _SharedCounts(workers.directory / "metrics")
        workers.serve({_METRICS: self._respond})

    async def collect(self) -> list[Metric]:
        """Return the families of all workers."""
        workers = self._workers
        own, responses = await asyncio.gather(self._own(), workers.ask_all(_METRICS, timeout=_TIMEOUT))
        by_worker = {workers.worker: _encodable(own)}
        hanging = set[int]()
        for worker, response in responses.items():
            if not isinstance(response, NoResponse):
                by_worker[worker] = _decoder.decode(response)
            elif not response.is_gone:
                hanging.add(worker)
        current = {worker: _counts_of(families) for worker, families in by_worker.items()}
        counts = await self._counts.update(current, hanging)
        families = _Merged(self._aggregates)
        for worker in sorted(by_worker):
            families.add(worker, by_worker[worker])
        return [*families.metrics(counts), _number_of_workers(len(by_worker), len(hanging))]

    async def close(self) -> None:
        """Store the final counts of this worker."""
        own = _counts_of(_encodable(await self._own()))
        await self._counts.update({self._workers.worker: own}, hanging=None)

    async def _respond(self, _sender: int, _payload: bytes) -> bytes:
        return msgspec.msgpack.encode(_encodable(await self._own()))


class _Merged:
    """The families of several workers, merged."""

    def __init__(self, aggregates: Mapping[str, Aggregate]) -> None:
        self._aggregates = aggregates
        self._families: dict[str, _Family] = {}
        self._values: dict[str, dict[_Key, float]] = {}

    def add(self, worker: int, families: Iterable[_Family]) -> None:
        for family in families:
            self._families.setdefault(family.name, family)
            values = self._values.setdefault(family.name, {})
            of_process = family.name.startswith(_PROCESS)
            combine = _FUNCTIONS[self._aggregates.get(family.name, "max")]
            for sample in family.samples:
                labels = {**sample.labels, "worker": str(worker)} if of_process else sample.labels
                key = sample.name, tuple(labels.items())
                known = values.get(key)
                values[key] = sample.value if known is None or of_process else combine(known, sample.value)

    def metrics(self, counts: _Counts) -> list[Metric]:
        """Return the merged families. `counts` has the values of the counters and histograms."""
        by_family: dict[str, dict[_Key, float]] = {}
        for (name, labels), value in counts.items():
            family_name, _, sample_name = name.partition(" ")
            by_family.setdefault(family_name, {})[sample_name, labels] = value
        metrics = []
        for name, family in self._families.items():
            metric = Metric(name, family.documentation, family.type)
            for (sample, labels), value in by_family.get(name, self._values[name]).items():
                metric.add_sample(sample, dict(labels), value)
            metrics.append(metric)
        return metrics


class _SharedCounts:
    """The file with the last known counts of each worker. Without it (the disk is full), counts can fall."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def update(self, current: Mapping[int, _Counts], hanging: set[int] | None) -> _Counts:
        """Store the current counts of workers, and return the sums of all workers that ever ran.

        Other workers have ended, unless they are `hanging` or `hanging` is `None`.
        """
        with suppress(OSError):
            lock = os.open(self._path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                is_locked = await _locked(lock)
                counted = self._read()
                _note(counted, current, hanging)
                if is_locked:
                    self._write(counted)
                return _sum(counted)
            finally:
                os.close(lock)
        counted = _Counted()
        _note(counted, current, hanging)
        return _sum(counted)

    def _read(self) -> _Counted:
        try:
            return msgspec.msgpack.decode(self._path.read_bytes(), type=_Counted)
        except FileNotFoundError:
            return _Counted()

    def _write(self, counted: _Counted) -> None:
        temporary = self._path.with_suffix(".new")
        temporary.write_bytes(msgspec.msgpack.encode(counted))
        temporary.replace(self._path)


_decoder: Final = msgspec.msgpack.Decoder(list[_Family])


async def _locked(lock: int) -> bool:
    """Lock a file; return whether that succeeded. A worker that is stopped while it holds the lock delays no other."""
    for _ in range(_LOCK_ATTEMPTS):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            await asyncio.sleep(_LOCK_DELAY)
            continue
        return True
    return False


def _note(counted: _Counted, current: Mapping[int, _Counts], hanging: set[int] | None) -> None:
    for worker, counts in current.items():
        counted.workers[worker] = _samples(counts)
    if hanging is None:
        return
    ended = [worker for worker in counted.workers if worker not in current and worker not in hanging]
    for worker in ended[: max(0, len(ended) - _MAX_ENDED)]:
        counts = _counts(counted.ended)
        _add(counts, counted.workers.pop(worker))
        counted.ended = _samples(counts)


def _sum(counted: _Counted) -> _Counts:
    counts = _counts(counted.ended)
    for samples in counted.workers.values():
        _add(counts, samples)
    return counts


def _add(counts: _Counts, samples: Iterable[_Sample]) -> None:
    for sample in samples:
        key = sample.name, tuple(sample.labels.items())
        counts[key] = counts.get(key, 0.0) + sample.value


def _counts(samples: Iterable[_Sample]) -> _Counts:
    counts: _Counts = {}
    _add(counts, samples)
    return counts


def _samples(counts: _Counts) -> list[_Sample]:
    return [_Sample(name, dict(labels), value) for (name, labels), value in counts.items()]


def _counts_of(families: Iterable[_Family]) -> _Counts:
    """Return the counters and histograms. The name of each is that of its family, a space, and that of the sample."""
    return {
        (f"{family.name} {sample.name}", tuple(sample.labels.items())): sample.value
        for family in families
        if family.type in _COUNTED and not family.name.startswith(_PROCESS)
        for sample in family.samples
    }


def _encodable(metrics: Sequence[Metric]) -> list[_Family]:
    return [
        _Family(
            metric.name,
            metric.documentation,
            metric.type,
            [_Sample(sample.name, dict(sample.labels), float(sample.value)) for sample in metric.samples],
        )
        for metric in metrics
    ]


def _number_of_workers(responding: int, hanging: int) -> Metric:
    family = GaugeMetricFamily(
        "ledgerpress_workers",
        "Workers of the server whose metrics are included (running), and those that do not respond (hanging).",
        labels=["state"],
    )
    family.add_metric(["running"], responding)
    family.add_metric(["hanging"], hanging)
    return family
