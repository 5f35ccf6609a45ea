"""Durable appends per second to SQLite: one client against a bare SQLite loop, and 256 clients against one.

Every round appends to three logs in rotating order, so that a slow moment of the machine affects all equally. All three
logs are on the disk of this checkout and have the schema, triggers, pragmas and columns of the log. Every append is one
event with 1 KB of payload and an exact expected version. There are 256 streams: each of the many clients has one, the
single client uses all of them in turn. Ids, salts and payloads are prepared for all three. The work of an append is
included: the check of the envelope, the payload's commitment (HMAC), and the lookup of versions. The bare loop inserts
finished rows: BEGIN IMMEDIATE, INSERT, COMMIT.

Exits with 1 if the median of a ratio over the rounds misses its target.
"""

import argparse
import asyncio
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import count, islice
from pathlib import Path
from typing import Final

import uvloop

from ledgerpress.adapters.sqlite_log import event_reads_and_group_append
from ledgerpress.adapters.sqlite_log.event_log import SqliteEventLog
from ledgerpress.adapters.sqlite_log.log_file import DURABLE
from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.envelope import JSON_ENCODING, NewEvent, SealedPayload
from ledgerpress.eventlog.log import StreamWrite

CHECKOUT: Final = Path(__file__).resolve().parent.parent.parent
CLIENTS: Final = 256
STREAMS: Final = [f"post.{uuid8(number)}" for number in range(CLIENTS)]
APPENDS_EACH: Final = 8
"""Appends of each of the many clients per round."""
PAYLOAD: Final = b'{"data":{"body":"' + b"x" * (1024 - 20) + b'"}}'
ACTOR: Final = uuid8("actor")
ONE_AGAINST_BARE: Final = 0.6
MANY_AGAINST_ONE: Final = 4.0


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
    """SQLite alone: one transaction after another, in the calling thread."""

    def __init__(self, path: Path) -> None:
        asyncio.run(self._create(path))
        self._writes = enumerate(writes(STREAMS), 1)
        self._db = sqlite3.connect(path, isolation_level=None)
        for name, value in DURABLE.items():
            self._db.execute(f"PRAGMA {name} = {value}")

    async def _create(self, path: Path) -> None:
        await (await new_log(path)).aclose()

    def rate(self, appends: int) -> float:
        """Append `appends` events, and return the appends per second."""
        rows = [
            write.events[0].row(
                bytes.fromhex(write.events[0].payload.commitment()),
                position,
                write.stream,
                write.expected + 1,
            )
            for position, write in islice(self._writes, appends)
        ]
        start = time.perf_counter()
        for row in rows:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute(event_reads_and_group_append.INSERT, row)
            self._db.execute("COMMIT")
        return appends / (time.perf_counter() - start)

    def close(self) -> None:
        self._db.close()


class Clients:
    """Clients of one `EventLog` under uvloop. Each appends again as soon as it receives the result."""

    def __init__(self, path: Path, streams: Sequence[Sequence[str]]) -> None:
        """Create one client for each sequence of streams."""
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._log = self._runner.run(new_log(path))
        self._writes = [writes(each) for each in streams]

    def rate(self, appends: int) -> float:
        """Append `appends` events in total, and return the appends per second."""
        each = appends // len(self._writes)
        work = [[[write] for write in islice(client, each)] for client in self._writes]
        return self._runner.run(self._run(work))

    def close(self) -> None:
        self._runner.run(self._log.aclose())
        self._runner.close()

    async def _run(self, work: list[list[list[StreamWrite]]]) -> float:
        start = time.perf_counter()
        if len(work) == 1:
            await self._client(work[0])
        else:
            await asyncio.gather(*map(self._client, work))
        return sum(map(len, work)) / (time.perf_counter() - start)

    async def _client(self, commands: list[list[StreamWrite]]) -> None:
        for command in commands:
            await self._log.append(command)


async def new_log(path: Path) -> SqliteEventLog:
    return await SqliteEventLog.open(path, create_as=lambda: uuid8("publication"))


def measure(folder: Path, rounds: int, appends: int) -> list[dict[str, float]]:
    """Return the appends per second by name, for each round after a first warm-up round."""
    with (
        closing(BareLoop(folder / "bare.db")) as bare,
        closing(Clients(folder / "one.db", [STREAMS])) as single,
        closing(Clients(folder / "many.db", [[stream] for stream in STREAMS])) as many,
    ):
        turns: list[tuple[str, Callable[[], float]]] = [
            ("bare", lambda: bare.rate(appends)),
            ("one", lambda: single.rate(appends)),
            ("many", lambda: many.rate(CLIENTS * APPENDS_EACH)),
        ]
        figures = []
        for number in range(rounds + 1):
            start = number % len(turns)
            figures.append({name: rate() for name, rate in turns[start:] + turns[:start]})
        return figures[1:]


def report(label: str, values: list[float], form: str) -> None:
    low, _, high = statistics.quantiles(values, n=4)
    print(
        f"{label:26} {statistics.median(values):{form}}   (half of the rounds: {low:{form}} to {high:{form}})"
    )


def meets_target(label: str, ratios: list[float], target: float) -> bool:
    report(label, ratios, "9.2f")
    met = statistics.median(ratios) >= target
    print(f"{'':26} target: at least {target}: {'met' if met else 'MISSED'}")
    return met


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=30, help="rounds to measure (30)")
    parser.add_argument(
        "--appends",
        type=int,
        default=400,
        help="appends of the bare loop and of the single client per round (400)",
    )
    arguments = parser.parse_args()
    # Not the system's directory for temporary files, which may be in memory: syncs must really write to disk.
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=CHECKOUT) as folder:
        figures = measure(Path(folder), arguments.rounds, arguments.appends)
    print("appends per second, median of the rounds")
    report("  bare loop", [rates["bare"] for rates in figures], "9,.0f")
    report("  one client", [rates["one"] for rates in figures], "9,.0f")
    report(f"  {CLIENTS} clients", [rates["many"] for rates in figures], "9,.0f")
    print("ratios, median of the rounds")
    met = [
        meets_target(
            "  one client / bare loop", [rates["one"] / rates["bare"] for rates in figures], ONE_AGAINST_BARE
        ),
        meets_target(
            f"  {CLIENTS} clients / one",
            [rates["many"] / rates["one"] for rates in figures],
            MANY_AGAINST_ONE,
        ),
    ]
    sys.exit(0 if all(met) else 1)


if __name__ == "__main__":
    main()
