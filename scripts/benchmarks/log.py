"""Durable appends a second: one client against a bare SQLite loop, and 256 clients against one.

Every round makes three new logs on the disk of this checkout and measures them in turn, in an order that
rotates, so that a slow moment of the machine hits all alike. All three use the schema, triggers, pragmas and columns
of the log, events of 1 KB payload with exact expected versions, over 100 streams. Ids, salts and payloads are made
beforehand for all three. Checking the envelope, sealing (the payload's HMAC) and the check of versions are the append's
own work and are measured in it; the bare loop gets finished rows: BEGIN IMMEDIATE, INSERT, COMMIT.

Exits with 1 where the median of a ratio misses what is promised.
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
from pathlib import Path

import uvloop

from ledgerpress.adapters.sqlite import log_rows
from ledgerpress.adapters.sqlite.log import SqliteEventLog
from ledgerpress.adapters.sqlite.log_file import DURABLE
from ledgerpress.eventlog.envelope import JSON_ENCODING, NewEvent, SealedPayload
from ledgerpress.eventlog.ids import uuid8
from ledgerpress.eventlog.log import StreamWrite

CHECKOUT = Path(__file__).resolve().parent.parent.parent
STREAMS = 100
CLIENTS = 256
PAYLOAD = b'{"data":{"body":"' + b"x" * (1024 - 19) + b'"}}'
ACTOR = uuid8("actor")
ONE_AGAINST_BARE = 0.6
MANY_AGAINST_ONE = 4.0


def writes(count: int, client: int = 0) -> Iterator[StreamWrite]:
    """The appends of one client: one event each, to each of its streams in turn."""
    streams = [f"post.{uuid8(client, number)}" for number in range(STREAMS)]
    for number in range(count):
        command = uuid8("command", client, number)
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
        yield StreamWrite(streams[number % STREAMS], number // STREAMS, (event,))


async def new_log(path: Path) -> SqliteEventLog:
    return await SqliteEventLog.open(path, create_as=lambda: uuid8("publication"))


def bare(path: Path, appends: int) -> float:
    """Appends a second of the bare loop."""
    asyncio.run(_make(path))
    rows = [
        log_rows.to_row(
            write.events[0],
            bytes.fromhex(write.events[0].payload.commitment()),
            position,
            write.stream,
            write.expected + 1,
        )
        for position, write in enumerate(writes(appends), 1)
    ]
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for name, value in DURABLE.items():
            db.execute(f"PRAGMA {name} = {value}")
        start = time.perf_counter()
        for row in rows:
            db.execute("BEGIN IMMEDIATE")
            db.execute(log_rows.INSERT, row)
            db.execute("COMMIT")
        return appends / (time.perf_counter() - start)


async def _make(path: Path) -> None:
    await (await new_log(path)).aclose()


async def _append_all(log: SqliteEventLog, commands: Sequence[list[StreamWrite]]) -> None:
    for command in commands:
        await log.append(command)


async def _clients(path: Path, clients: int, appends: int) -> float:
    work = [[[write] for write in writes(appends // clients, client)] for client in range(clients)]
    log = await new_log(path)
    try:
        start = time.perf_counter()
        if clients == 1:
            await _append_all(log, work[0])
        else:
            await asyncio.gather(*(_append_all(log, commands) for commands in work))
        seconds = time.perf_counter() - start
        recorded = clients * (appends // clients)
        if await log.head() != recorded:
            raise SystemExit(f"the log has {await log.head()} events, not {recorded}")
        return recorded / seconds
    finally:
        await log.aclose()


def clients(path: Path, count: int, appends: int) -> float:
    """Appends a second of `count` concurrent clients of one log."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_clients(path, count, appends))


def measure(rounds: int, appends: int, folder: Path) -> list[dict[str, float]]:
    kinds: list[tuple[str, Callable[[Path], float]]] = [
        ("bare", lambda path: bare(path, appends)),
        ("one", lambda path: clients(path, 1, appends)),
        ("many", lambda path: clients(path, CLIENTS, appends * 6)),
    ]
    for kind, run in kinds:
        run(folder / f"warm-{kind}.db")
    figures = []
    for number in range(rounds):
        figure = {}
        for kind, run in kinds[number % 3 :] + kinds[: number % 3]:
            figure[kind] = run(folder / f"{number}-{kind}.db")
        figures.append(figure)
        print(
            f"round {number + 1:2}   bare {figure['bare']:7,.0f}   one client {figure['one']:7,.0f}"
            f"   {CLIENTS} clients {figure['many']:7,.0f}   appends a second",
            flush=True,
        )
    return figures


def verdict(what: str, ratios: list[float], wanted: float) -> bool:
    median = statistics.median(ratios)
    kept = median >= wanted
    print(f"{what:32} {median:6.2f}   at least {wanted}   {'kept' if kept else 'MISSED'}"
          f"   (from {min(ratios):.2f} to {max(ratios):.2f})")
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="rounds to measure (9)")
    parser.add_argument("--appends", type=int, default=2_000, help="appends of the bare loop and of one client (2000)")
    arguments = parser.parse_args()
    # Not the system's folder for temporary files, which may be kept in memory: a sync must cost what it costs.
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=CHECKOUT) as folder:
        figures = measure(arguments.rounds, arguments.appends, Path(folder))
    kept = [
        verdict("one client / bare loop", [one["one"] / one["bare"] for one in figures], ONE_AGAINST_BARE),
        verdict(f"{CLIENTS} clients / one client", [one["many"] / one["one"] for one in figures], MANY_AGAINST_ONE),
    ]
    sys.exit(0 if all(kept) else 1)


if __name__ == "__main__":
    main()
