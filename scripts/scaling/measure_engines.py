"""Measure the costs of the log on each engine: logs of the same size, each on one new server on this machine.

The events are those of a generated newsroom. Appends of one event with 1 KB each, as in `scripts/bench log`, go to the
log that already contains these events. The total appends to several publications on one server are measured too.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import uvloop

from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.envelope import NewEvent, StoredEvent
from ledgerpress.eventlog.log import OpenedLog, StreamWrite
from ledgerpress.server.log_factory import open_log
from ledgerpress.server.log_url import LogUrl
from scripts.benchmarks.log import CLIENTS, STREAMS, writes
from scripts.engines.nats import NatsServer
from scripts.engines.postgres import PostgresServer
from scripts.scaling.constants import OnEngine
from scripts.workloads.generated_log import GeneratedLog

EVENTS: Final = 10_000
APPENDS_EACH: Final = 8
ROUNDS: Final = 5
"""The best of these rounds counts, because other work on the machine can only slow a round down."""
SEVERAL: Final = (1, 2, 4)
"""Numbers of publications on one server, with `CLIENTS` clients in total."""


def measure(folder: Path) -> list[OnEngine]:
    """Measure all three engines, one after another."""
    return [_sqlite(folder), _postgres(), _jetstream(folder)]


def _sqlite(folder: Path) -> OnEngine:
    with TemporaryDirectory(prefix="sqlite-", dir=folder) as place:

        def size() -> int:
            total = 0
            for file in Path(place).glob("*.sqlite"):
                with closing(sqlite3.connect(file)) as db:
                    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                total += file.stat().st_size
            return total

        measured = uvloop.run(_measure(lambda name: f"sqlite:{place}/{name}.sqlite", size))
    return OnEngine(name="SQLite", events=EVENTS, source="a file for each publication", **measured)


def _postgres() -> OnEngine:
    server = PostgresServer()
    try:

        def size() -> int:
            server.sql("CHECKPOINT")
            return int(server.sql("SELECT pg_total_relation_size('ledgerpress.event')"))

        measured = uvloop.run(_measure(server.url, size))
    finally:
        server.close()
    return OnEngine(name="PostgreSQL", events=EVENTS, source="one server", **measured)


def _jetstream(folder: Path) -> OnEngine:
    with _nats(folder) as server:

        def size() -> int:
            return int(server.monitoring_data("/jsz")["storage"])

        measured = uvloop.run(_measure(server.url, size))
    return OnEngine(name="JetStream", events=EVENTS, source="one server, without replicas", **measured)


@contextmanager
def _nats(folder: Path) -> Iterator[NatsServer]:
    with TemporaryDirectory(prefix="nats-", dir=folder) as place:
        server = NatsServer(Path(place))
        server.start()
        try:
            yield server
        finally:
            server.stop()


async def _measure(url: Callable[[str], str], size: Callable[[], int]) -> dict[str, Any]:
    log = await _open(url("p0"))
    before = size()
    await _fill(log)
    measured: dict[str, Any] = {"bytes_an_event": (size() - before) / EVENTS}
    measured["read"] = max([await _read(log) for _ in range(ROUNDS)])
    single, many = [writes(STREAMS)], [writes([f"{stream}-many"]) for stream in STREAMS[:CLIENTS]]
    measured["append_one"] = max([await _rate([log], single, 300) for _ in range(ROUNDS)])
    measured["append_many"] = max([await _rate([log], many, APPENDS_EACH) for _ in range(ROUNDS)])

    logs = [log, *[await _open(url(f"p{number}")) for number in range(1, SEVERAL[-1])]]
    for other in logs[1:]:
        await _fill(other)
    several = dict.fromkeys(SEVERAL, 0.0)
    for again in range(ROUNDS):
        for number in SEVERAL:
            clients = [writes([f"{stream}-{number}-{again}"]) for stream in STREAMS[:CLIENTS]]
            rate = await _rate(logs[:number], clients, APPENDS_EACH)
            several[number] = max(several[number], rate)
    measured["several"] = [several[number] for number in SEVERAL]
    for opened in logs:
        await opened.aclose()
    return measured


async def _fill(log: OpenedLog) -> None:
    """Write the log of a generated newsroom."""
    for batch in GeneratedLog().batches(EVENTS, 200):
        await log.append(list(_grouped(batch)))


async def _read(log: OpenedLog) -> float:
    """Return how many events one follower reads per wall-clock second."""
    started, after = time.perf_counter(), 0
    while batch := await log.read(after, 1_000):
        after = batch[-1].position
    return after / (time.perf_counter() - started)


async def _open(url: str) -> OpenedLog:
    return await open_log(LogUrl.parse(url), Path(), create_as=lambda: uuid8("publication"))


async def _rate(logs: Sequence[OpenedLog], clients: Sequence[Iterator[StreamWrite]], each: int) -> float:
    """Return the appends per second of clients that append `each` events one after another, each client to one log."""
    work = [list(islice(client, each)) for client in clients]

    async def client(log: OpenedLog, mine: Sequence[StreamWrite]) -> None:
        for write in mine:
            await log.append([write])

    started = time.perf_counter()
    await asyncio.gather(*(client(logs[number % len(logs)], mine) for number, mine in enumerate(work)))
    return sum(map(len, work)) / (time.perf_counter() - started)


def _grouped(batch: Sequence[StoredEvent]) -> Iterator[StreamWrite]:
    """Yield one write per stream with the events of a batch."""
    streams: dict[str, list[StoredEvent]] = {}
    for event in batch:
        streams.setdefault(event.header.stream, []).append(event)
    for stream, events in streams.items():
        expected = events[0].header.stream_version - 1
        yield StreamWrite(stream, expected, tuple(_new(event) for event in events))


def _new(event: StoredEvent) -> NewEvent:
    header = event.header
    if event.payload is None:
        raise ValueError("a generated event has no payload")
    return NewEvent(
        event_id=header.event_id,
        type=header.type,
        schema_version=header.schema_version,
        recorded_at=header.recorded_at,
        actor_id=header.actor_id,
        command_id=header.command_id,
        correlation_id=header.correlation_id,
        payload=event.payload,
    )
