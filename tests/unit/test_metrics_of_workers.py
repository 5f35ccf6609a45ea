"""How the metrics of several workers become one response, also when workers end, hang or return."""

import os
from pathlib import Path

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from ledgerpress.http.health import metrics_of_workers
from ledgerpress.http.health.metrics_of_workers import MetricsOfWorkers
from ledgerpress.http.other_workers import NoResponse, RequestHandler


class Workers:
    """Other workers whose responses a test sets."""

    worker = 1

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.responses: dict[int, bytes | NoResponse] = {}

    def serve(self, requests: dict[str, RequestHandler]) -> None:
        (self.respond,) = requests.values()

    async def ask(self, worker: int, kind: str, payload: bytes = b"", *, timeout: float | None) -> bytes:
        raise AssertionError

    async def ask_all(
        self, kind: str, payload: bytes = b"", *, timeout: float
    ) -> dict[int, bytes | NoResponse]:
        return self.responses


class Scrape:
    def __init__(self, directory: Path) -> None:
        self.workers = Workers(directory)
        self.count = 0.0
        self.metrics = MetricsOfWorkers(self.workers, self._own, {"lowest": "min", "added": "sum"})  # type: ignore[arg-type]

    async def _own(self) -> list[Metric]:
        return families(self.count, 10.0)

    async def values(self) -> dict[tuple[str, ...], float]:
        return {
            (sample.name, *sample.labels.values()): sample.value
            for metric in await self.metrics.collect()
            for sample in metric.samples
        }

    async def other(self, count: float, gauge: float) -> bytes:
        """Return the response of another worker with these values."""
        own, self.count = self.count, count
        response = await self.workers.respond(1, b"")
        self.count = own
        decoded = msgspec.msgpack.decode(response)
        for family in decoded:
            if family[2] == "gauge":
                family[3][0][2] = gauge
        return msgspec.msgpack.encode(decoded)


def families(count: float, gauge: float) -> list[Metric]:
    counter = CounterMetricFamily("events", "Events.", labels=["kind"])
    counter.add_metric(["a"], count)
    gauges = [GaugeMetricFamily(name, name, gauge) for name in ("lowest", "added", "other", "process_memory")]
    return [counter, *gauges]


async def test_counters_are_added_and_gauges_are_combined_as_declared(tmp_path: Path) -> None:
    scrape = Scrape(tmp_path)
    scrape.count = 3
    scrape.workers.responses = {2: await scrape.other(4, 5.0), 3: await scrape.other(0, 20.0)}
    assert await scrape.values() == {
        ("events_total", "a"): 7,
        ("lowest",): 5,
        ("added",): 35,
        ("other",): 20,
        ("process_memory", "1"): 10,
        ("process_memory", "2"): 5,
        ("process_memory", "3"): 20,
        ("ledgerpress_workers", "running"): 3,
        ("ledgerpress_workers", "hanging"): 0,
    }


async def test_counters_never_fall(tmp_path: Path) -> None:
    scrape = Scrape(tmp_path)
    scrape.count = 1
    second = await scrape.other(10, 1.0)
    scrape.workers.responses = {2: second}
    assert (await scrape.values())["events_total", "a"] == 11
    scrape.workers.responses = {2: NoResponse("slow", is_gone=False)}
    values = await scrape.values()
    assert values["events_total", "a"] == 11
    assert values["ledgerpress_workers", "hanging"] == 1
    scrape.workers.responses = {2: NoResponse("ended", is_gone=True), 3: await scrape.other(5, 1.0)}
    assert (await scrape.values())["events_total", "a"] == 16
    scrape.workers.responses = {2: second}
    assert (await scrape.values())["events_total", "a"] == 16, "worker 2 was only cut off; it counts once"


async def test_the_counts_of_very_many_ended_workers_are_added_up(tmp_path: Path) -> None:
    scrape = Scrape(tmp_path)
    for worker in range(2, 250):
        scrape.workers.responses = {worker: await scrape.other(1, 1.0)}
        await scrape.values()
    scrape.workers.responses = {}
    assert (await scrape.values())["events_total", "a"] == 248
    assert (tmp_path / "metrics").stat().st_size < 20_000


async def test_the_final_counts_of_a_worker_that_stops_are_reported_by_the_others(tmp_path: Path) -> None:
    stopping, other = Scrape(tmp_path), Scrape(tmp_path)
    stopping.workers.worker, other.workers.worker = 1, 2
    stopping.count = 7
    await stopping.metrics.close()
    assert (await other.values())["events_total", "a"] == 7


async def test_metrics_are_reported_if_the_shared_file_cannot_be_used(tmp_path: Path) -> None:
    scrape = Scrape(tmp_path / "missing")
    scrape.count = 2
    scrape.workers.responses = {2: await scrape.other(4, 5.0)}
    assert (await scrape.values())["events_total", "a"] == 6


async def test_a_worker_that_is_stopped_while_it_holds_the_file_delays_no_other(tmp_path: Path) -> None:
    scrape = Scrape(tmp_path)
    scrape.count = 2
    lock = os.open(tmp_path / "metrics.lock", os.O_CREAT | os.O_RDWR)
    try:
        assert await metrics_of_workers._locked(lock)
        assert (await scrape.values())["events_total", "a"] == 2
    finally:
        os.close(lock)
