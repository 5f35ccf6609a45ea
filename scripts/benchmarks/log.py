"""Durable appends to SQLite: throughput and CPU time of one client and of 256, against bare SQLite loops.

Every round appends to six logs in rotating order, so that a slow moment of the machine affects all equally. All logs
are on the disk of this checkout and have the schema, triggers, pragmas and columns of the log. Every append is one
event with 1 KB of payload and an exact expected version. There are 256 streams: each of the many clients has one, the
others use all of them in turn. Ids, salts and payloads are prepared for all. The work of an append is included: the
check of the envelope, the payload's commitment (HMAC), and the lookup of versions. The bare loops insert finished rows,
one or 100 in a transaction: BEGIN IMMEDIATE, INSERT, COMMIT. The clients append to the `EventLog`, and to the
`HealthCheckedLog` around it, as the server does.

CPU time is the user and system time of all threads. The flush time is that of `fdatasync` after 4 KB were written to
another file in the same folder, and the time of a commit is that of the bare loops.

Exits with 1 if the median of a figure over the rounds misses its target.
"""

import argparse
import asyncio
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from itertools import count, islice
from pathlib import Path
from typing import Final, NamedTuple

import uvloop

from ledgerpress.adapters.sqlite_log import event_reads_and_group_append
from ledgerpress.adapters.sqlite_log.event_log import SqliteEventLog
from ledgerpress.adapters.sqlite_log.log_file import WRITER
from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.envelope import JSON_ENCODING, NewEvent, SealedPayload
from ledgerpress.eventlog.health_checked_log import HealthCheckedLog
from ledgerpress.eventlog.log import EventLog, StreamWrite

CHECKOUT: Final = Path(__file__).resolve().parent.parent.parent
CLIENTS: Final = 256
STREAMS: Final = [f"post.{uuid8(number)}" for number in range(CLIENTS)]
APPENDS_EACH: Final = 16
"""Appends of each of the many clients per round."""
BATCH: Final = 100
FLUSHES: Final = 50
"""Measured flushes per round."""
PAYLOAD: Final = b'{"data":{"body":"' + b"x" * (1024 - 20) + b'"}}'
ACTOR: Final = uuid8("actor")
MAX_ADDED_CPU: Final = 60.0
"""Microseconds of CPU time that an append of one client may take beyond one in the bare loop."""
MANY_AGAINST_BATCHES: Final = 0.8


class Figures(NamedTuple):
    """Appends per second, microseconds of CPU time per append, and microseconds per commit (bare loops only)."""

    rate: float
    cpu: float
    commit: float = 0.0


def writes(streams: Sequence[str]) -> Iterator[StreamWrite]:
    """Yield the appends of one client without end: one event each, to its streams in turn."""
    for number in count():
        command = uuid8("command", streams[0], number)
        event = NewEvent(
            event_id=uuid8(command, 0),
            type="post.edited",
            schema_version=1,
            recorded_at=1_700_000_000_000_000 + number,
            actor_id=ACTOR,
            command_id=command,
            correlation_id=command,
            payload=SealedPayload(JSON_ENCODING, PAYLOAD, number.to_bytes(32, "big")),
        )
        yield StreamWrite(streams[number % len(streams)], number // len(streams), (event,))


class BareLoop:
    """SQLite alone: one transaction of `batch` events after another, in the calling thread."""

    def __init__(self, path: Path, batch: int) -> None:
        asyncio.run(self._create(path))
        self._batch = batch
        self._writes = enumerate(writes(STREAMS), 1)
        self._db = sqlite3.connect(path, isolation_level=None)
        for name, value in WRITER.items():
            self._db.execute(f"PRAGMA {name} = {value}")

    async def _create(self, path: Path) -> None:
        await (await new_log(path)).aclose()

    def measure(self, appends: int) -> Figures:
        """Append `appends` events."""
        rows = [
            write.events[0].row(
                bytes.fromhex(write.events[0].payload.commitment()),
                position,
                write.stream,
                write.expected + 1,
            )
            for position, write in islice(self._writes, appends)
        ]
        batches = [rows[start : start + self._batch] for start in range(0, appends, self._batch)]
        commit = 0.0
        start, cpu = time.perf_counter(), time.process_time()
        for batch in batches:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(event_reads_and_group_append.INSERT, batch)
            before = time.perf_counter()
            self._db.execute("COMMIT")
            commit += time.perf_counter() - before
        cpu, seconds = time.process_time() - cpu, time.perf_counter() - start
        return Figures(appends / seconds, cpu / appends * 1e6, commit / len(batches) * 1e6)

    def close(self) -> None:
        self._db.close()


class Clients:
    """Clients of one log under uvloop. Each appends again as soon as it receives the result."""

    def __init__(self, path: Path, streams: Sequence[Sequence[str]], *, health_checked: bool = False) -> None:
        """Create one client for each sequence of streams."""
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._opened = self._runner.run(new_log(path))
        self._log: EventLog = HealthCheckedLog(self._opened) if health_checked else self._opened
        self._writes = [writes(each) for each in streams]

    def measure(self, appends: int) -> Figures:
        """Append `appends` events in total."""
        each = appends // len(self._writes)
        work = [[[write] for write in islice(client, each)] for client in self._writes]
        return self._runner.run(self._run(work))

    def close(self) -> None:
        self._runner.run(self._opened.aclose())
        self._runner.close()

    async def _run(self, work: list[list[list[StreamWrite]]]) -> Figures:
        start, cpu = time.perf_counter(), time.process_time()
        if len(work) == 1:
            await self._client(work[0])
        else:
            await asyncio.gather(*map(self._client, work))
        appends = sum(map(len, work))
        cpu, seconds = time.process_time() - cpu, time.perf_counter() - start
        return Figures(appends / seconds, cpu / appends * 1e6)

    async def _client(self, commands: list[list[StreamWrite]]) -> None:
        for command in commands:
            await self._log.append(command)


async def new_log(path: Path) -> SqliteEventLog:
    return await SqliteEventLog.open(path, create_as=lambda: uuid8("publication"))


def flush_time(path: Path) -> float:
    """Return the microseconds that `fdatasync` takes after 4 KB were appended to a file."""
    seconds = 0.0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        for _ in range(FLUSHES):
            os.write(descriptor, bytes(4096))
            start = time.perf_counter()
            os.fdatasync(descriptor)
            seconds += time.perf_counter() - start
    finally:
        os.close(descriptor)
    return seconds / FLUSHES * 1e6


def measure(folder: Path, rounds: int, appends: int) -> tuple[list[dict[str, Figures]], list[float]]:
    """Return the figures by name and the flush time, for each round after a first warm-up round."""
    streams = {"one": [STREAMS], "many": [[stream] for stream in STREAMS]}
    with ExitStack() as stack:
        bare = stack.enter_context(closing(BareLoop(folder / "bare.db", 1)))
        batches = stack.enter_context(closing(BareLoop(folder / "batches.db", BATCH)))
        clients = {
            (number, checked): stack.enter_context(
                closing(Clients(folder / f"{number}-{checked}.db", streams[number], health_checked=checked))
            )
            for number in streams
            for checked in (False, True)
        }
        several = CLIENTS * APPENDS_EACH // BATCH * BATCH
        turns: list[tuple[str, Callable[[], Figures]]] = [
            ("bare", lambda: bare.measure(appends)),
            ("one", lambda: clients["one", False].measure(appends)),
            ("one checked", lambda: clients["one", True].measure(appends)),
            ("batches", lambda: batches.measure(several)),
            ("many", lambda: clients["many", False].measure(CLIENTS * APPENDS_EACH)),
            ("many checked", lambda: clients["many", True].measure(CLIENTS * APPENDS_EACH)),
        ]
        figures, flushes = [], []
        for turn_number in range(rounds + 1):
            start = turn_number % len(turns)
            flushes.append(flush_time(folder / "flushed"))
            figures.append({name: turn() for name, turn in turns[start:] + turns[:start]})
        return figures[1:], flushes[1:]


def spread(values: Sequence[float], form: str) -> str:
    low, _, high = statistics.quantiles(values, n=4)
    return (
        f"{statistics.median(values):{form}}   (half of the rounds: {low:{form}} to {high:{form}}; "
        f"all: {min(values):{form}} to {max(values):{form}})"
    )


def meets_target(label: str, values: list[float], form: str, *, target: str, met: bool) -> bool:
    print(f"{label:42} {spread(values, form)}")
    print(f"{'':42} target: {target}: {'met' if met else 'MISSED'}")
    return met


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20, help="rounds to measure (20)")
    parser.add_argument(
        "--appends",
        type=int,
        default=400,
        help="appends of the bare loop and of the single client per round (400)",
    )
    arguments = parser.parse_args()
    # Not the system's directory for temporary files, which may be in memory: syncs must really write to disk.
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=CHECKOUT) as folder:
        figures, flushes = measure(Path(folder), arguments.rounds, arguments.appends)
    names = {
        "bare": "bare loop",
        "one": "one client, EventLog",
        "one checked": "one client, HealthCheckedLog",
        "batches": f"bare batches of {BATCH}",
        "many": f"{CLIENTS} clients, EventLog",
        "many checked": f"{CLIENTS} clients, HealthCheckedLog",
    }
    print(f"SQLite {sqlite3.sqlite_version}, median of {len(figures)} rounds")
    print(f"{'flush (fdatasync), µs':42} {spread(flushes, '9,.0f')}")
    for name in ("bare", "batches"):
        print(
            f"{f'COMMIT of the {names[name]}, µs':42} {spread([each[name].commit for each in figures], '9,.0f')}"
        )
    print("appends per second")
    for name, label in names.items():
        print(f"{'  ' + label:42} {spread([each[name].rate for each in figures], '9,.0f')}")
    print("CPU time per append, µs")
    for name, label in names.items():
        print(f"{'  ' + label:42} {spread([each[name].cpu for each in figures], '9.1f')}")
    print("compared within each round")
    met = []
    for name in ("one", "one checked"):
        added = [each[name].cpu - each["bare"].cpu for each in figures]
        met.append(
            meets_target(
                f"  {names[name]}: added CPU, µs",
                added,
                "9.1f",
                target=f"at most {MAX_ADDED_CPU:.0f}",
                met=statistics.median(added) <= MAX_ADDED_CPU,
            )
        )
    for name in ("many", "many checked"):
        ratios = [each[name].rate / each["batches"].rate for each in figures]
        met.append(
            meets_target(
                f"  {names[name]} / batches",
                ratios,
                "9.2f",
                target=f"at least {MANY_AGAINST_BATCHES}",
                met=statistics.median(ratios) >= MANY_AGAINST_BATCHES,
            )
        )
    ratios = [each["one"].rate / each["bare"].rate for each in figures]
    print(f"{'  one client / bare loop':42} {spread(ratios, '9.2f')}")
    sys.exit(0 if all(met) else 1)


if __name__ == "__main__":
    main()
