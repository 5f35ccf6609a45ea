"""Durable appends per second to SQLite: one client against a bare SQLite loop, and 256 clients against one.

Every round appends to three logs in turn, in an order that rotates, so that a slow moment of the machine hits all
alike. All three lie on the disk of this checkout and have the schema, triggers, pragmas and columns of the log;
every append is one event with 1 KB of payload and an exact expected version, over 256 streams: one for each of the
many clients, all of them in turn for the one. Ids, salts and payloads are made beforehand for all three. Checking the
envelope, the payload's commitment (HMAC) and the look at the versions are the append's own work, and are measured
in it. The bare loop gets finished rows: BEGIN IMMEDIATE, INSERT, COMMIT.

Exits with 1 where the median of a ratio over the rounds misses what is promised.
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
"""Appends of each of the many clients in a round."""
PAYLOAD: Final = b'{"data":{"body":"' + b"x" * (1024 - 20) + b'"}}'
ACTOR: Final = uuid8("actor")
ONE_AGAINST_BARE: Final = 0.6
MANY_AGAINST_ONE: Final = 4.0


def writes(streams: Sequence[str]) -> Iterator[StreamWrite]:
    """The appends of one client, for ever: one event each, to each of its streams in turn."""
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
    """What SQLite itself can do: one transaction after another, in the thread that asks."""

    def __init__(self, path: Path) -> None:
        asyncio.run(self._make(path))
        self._writes = enumerate(writes(STREAMS), 1)
        self._db = sqlite3.connect(path, isolation_level=None)
        for name, value in DURABLE.items():
            self._db.execute(f"PRAGMA {name} = {value}")

    async def _make(self, path: Path) -> None:
        await (await new_log(path)).aclose()

    def rate(self, appends: int) -> float:
        """Append and return how many appends were made a second."""
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
    """Clients of one `EventLog` under uvloop, each of which appends again as soon as it is answered."""

    def __init__(self, path: Path, streams: Sequence[Sequence[str]]) -> None:
        """Begin a client for each sequence of streams."""
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._log = self._runner.run(new_log(path))
        self._writes = [writes(each) for each in streams]

    def rate(self, appends: int) -> float:
        """Append, `appends` in all, and return how many appends were made a second."""
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
    """Figures of each round by name, in appends a second; the first round warms up and is not among them."""
    with (
        closing(BareLoop(folder / "bare.db")) as bare,
        closing(Clients(folder / "one.db", [STREAMS])) as one,
        closing(Clients(folder / "many.db", [[stream] for stream in STREAMS])) as many,
    ):
        turns: list[tuple[str, Callable[[], float]]] = [
            ("bare", lambda: bare.rate(appends)),
            ("one", lambda: one.rate(appends)),
            ("many", lambda: many.rate(CLIENTS * APPENDS_EACH)),
        ]
        figures = []
        for number in range(rounds + 1):
            start = number % len(turns)
            figures.append({name: rate() for name, rate in turns[start:] + turns[:start]})
        return figures[1:]


def report(what: str, values: list[float], form: str) -> None:
    low, _, high = statistics.quantiles(values, n=4)
    print(
        f"{what:26} {statistics.median(values):{form}}   (half of the rounds: {low:{form}} to {high:{form}})"
    )


def keeps(what: str, ratios: list[float], promised: float) -> bool:
    report(what, ratios, "9.2f")
    kept = statistics.median(ratios) >= promised
    print(f"{'':26} at least {promised} is promised: {'kept' if kept else 'MISSED'}")
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=30, help="rounds to measure (30)")
    parser.add_argument(
        "--appends", type=int, default=400, help="appends a round of the bare loop and of one client (400)"
    )
    arguments = parser.parse_args()
    # Not the system's folder for temporary files, which may be kept in memory: a sync must cost what it costs.
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=CHECKOUT) as folder:
        figures = measure(Path(folder), arguments.rounds, arguments.appends)
    print("appends a second, median of the rounds")
    report("  bare loop", [one["bare"] for one in figures], "9,.0f")
    report("  one client", [one["one"] for one in figures], "9,.0f")
    report(f"  {CLIENTS} clients", [one["many"] for one in figures], "9,.0f")
    print("ratios, median of the rounds")
    kept = [
        keeps("  one client / bare loop", [one["one"] / one["bare"] for one in figures], ONE_AGAINST_BARE),
        keeps(f"  {CLIENTS} clients / one", [one["many"] / one["one"] for one in figures], MANY_AGAINST_ONE),
    ]
    sys.exit(0 if all(kept) else 1)


if __name__ == "__main__":
    main()
