"""Measures what the log costs in PostgreSQL and in NATS JetStream: one server of each, started for it, on this machine.

The bytes are those of a generated newsroom's events; appends are of one event with 1 KB, as in `scripts/bench log`.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import uvloop

from ledgerpress.compose.log_url import LogUrl
from ledgerpress.compose.logs import open_log
from ledgerpress.eventlog.envelope import NewEvent, StoredEvent
from ledgerpress.eventlog.ids import uuid8
from ledgerpress.eventlog.log import OpenedLog, StreamWrite
from scripts.benchmarks.log import CLIENTS, STREAMS, writes
from scripts.engines.nats import NatsServer
from scripts.engines.postgres import PostgresServer
from scripts.generated_log import GeneratedLog
from scripts.scaling.constants import OnEngine

EVENTS: Final = 20_000
APPENDS_EACH: Final = 8
ROUNDS: Final = 5
"""The best of so many counts: others on the machine only ever make it slower."""
KILLED: Final = 7.0
"""Seconds for which writes stall when the leader of three JetStream servers is killed: `scripts/cluster` shows 4 to 9."""


def others(folder: Path) -> list[OnEngine]:
    """Measure both."""
    return [_postgres(), _jetstream(folder)]


def _postgres() -> OnEngine:
    server = PostgresServer()
    try:

        def size() -> int:
            server.sql("CHECKPOINT")
            return int(server.sql("SELECT pg_total_relation_size('ledgerpress.event')"))

        found = uvloop.run(_measure(server.url, size))
    finally:
        server.close()
    return OnEngine(name="PostgreSQL", stall=0.0, source="here, one server", **found)


def _jetstream(folder: Path) -> OnEngine:
    with _nats(folder) as server:

        def size() -> int:
            return int(server.says("/jsz")["storage"])

        found = uvloop.run(_measure(server.url, size))
    return OnEngine(
        name="JetStream", stall=KILLED, source="here, one server; the stall: three servers", **found
    )


@contextmanager
def _nats(folder: Path) -> Iterator[NatsServer]:
    with TemporaryDirectory(prefix="nats-", dir=folder) as place:
        server = NatsServer(Path(place))
        server.start()
        try:
            yield server
        finally:
            server.stop()


async def _measure(url: Callable[[str], str], size: Callable[[], int]) -> dict[str, float]:
    log = await _open(url("shape"))
    before = size()
    events = 0
    for batch in GeneratedLog().batches(EVENTS, 200):
        await log.append(list(_grouped(batch)))
        events += len(batch)
    found = {"bytes_an_event": (size() - before) / events}
    started, after = time.perf_counter(), 0
    while batch := await log.read(after, 1_000):
        after = batch[-1].position
    found["read"] = after / (time.perf_counter() - started)
    await log.aclose()

    log = await _open(url("appends"))
    single, many = [writes(STREAMS)], [writes([f"{stream}-many"]) for stream in STREAMS[:CLIENTS]]
    found["append_one"] = max([await _rate(log, single, 300) for _ in range(ROUNDS)])
    found["append_many"] = max([await _rate(log, many, APPENDS_EACH) for _ in range(ROUNDS)])
    await log.aclose()
    return found


async def _open(url: str) -> OpenedLog:
    return await open_log(LogUrl.parse(url), Path(), create_as=lambda: uuid8("publication"))


async def _rate(log: OpenedLog, clients: Sequence[Iterator[StreamWrite]], each: int) -> float:
    """Return the appends a second of clients that append so many events each, one after another."""
    work = [list(islice(client, each)) for client in clients]

    async def client(mine: Sequence[StreamWrite]) -> None:
        for write in mine:
            await log.append([write])

    started = time.perf_counter()
    await asyncio.gather(*map(client, work))
    return sum(map(len, work)) / (time.perf_counter() - started)


def _grouped(batch: Sequence[StoredEvent]) -> Iterator[StreamWrite]:
    """Yield what appends the events of a batch, each stream's together."""
    streams: dict[str, list[StoredEvent]] = {}
    for event in batch:
        streams.setdefault(event.header.stream, []).append(event)
    for stream, events in streams.items():
        expected = events[0].header.stream_version - 1
        yield StreamWrite(stream, expected, tuple(_new(event) for event in events))


def _new(event: StoredEvent) -> NewEvent:
    header = event.header
    if event.payload is None:
        raise ValueError("a generated event has its payload")
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
