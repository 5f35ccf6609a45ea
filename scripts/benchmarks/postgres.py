"""Durable appends per second to PostgreSQL: 256 clients of one node against one client with one commit per event.

Both append to the same server, a real one on the disk of this checkout that syncs, in rounds that alternate, so that a
slow moment of the machine hits both alike. Each append is one event with 1 KB of payload and an exact expected
version, into the same tables with the same triggers. The one client uses asyncpg and nothing else: it locks the head
of its log, inserts, and commits, with rows made beforehand; being alone, it counts the positions itself. The 256 clients go through the adapter; what it does for
them (checking, commitments, looking up versions and event ids) is measured with it.

Exits with 1 where the median of the ratio over the rounds misses what is promised.
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Final

import asyncpg
import uvloop

from ledgerpress.adapters.postgres import event_rows as log_rows
from ledgerpress.adapters.postgres.connection import Connection, Server
from ledgerpress.adapters.postgres.event_log import PostgresEventLog
from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.envelope import JSON_ENCODING, NewEvent, SealedPayload
from ledgerpress.eventlog.log import StreamWrite
from scripts.engines.postgres import PostgresServer

CHECKOUT: Final = Path(__file__).resolve().parent.parent.parent
CLIENTS: Final = 256
STREAMS: Final = [f"post.{uuid8(number)}" for number in range(CLIENTS)]
PAYLOAD: Final = b'{"data":{"body":"' + b"x" * (1024 - 20) + b'"}}'
ACTOR: Final = uuid8("actor")
PROMISED: Final = 8.0


def writes(name: str, stream: str) -> Iterator[StreamWrite]:
    """The appends of one client, for ever."""
    for number in count():
        command = uuid8("command", name, stream, number)
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
        yield StreamWrite(stream, number, (event,))


class OneClient:
    """The simplest append that is correct: lock the head, insert, commit."""

    def __init__(self, connection: Connection, log: int) -> None:
        self._connection = connection
        self._log = log
        self._head = 0
        self._writes = writes("one", STREAMS[0])

    async def rate(self, appends: int) -> float:
        """Append, and return how many appends were made a second."""
        rows = [
            log_rows.columns(
                [
                    write.events[0].row(
                        bytes.fromhex(write.events[0].payload.commitment()),
                        0,
                        write.stream,
                        write.expected + 1,
                    )
                ]
            )
            for write in islice(self._writes, appends)
        ]
        start = time.perf_counter()
        for row in rows:
            async with self._connection.transaction():
                await self._connection.execute(
                    "SELECT FROM ledgerpress.log_head WHERE log = $1 FOR UPDATE", self._log
                )
                await self._connection.execute(log_rows.INSERT, self._log, self._head, *row)
            self._head += 1
        return appends / (time.perf_counter() - start)


class ManyClients:
    """Clients of one log, each of which appends again as soon as it is answered."""

    def __init__(self, log: PostgresEventLog) -> None:
        self._log = log
        self._writes = [writes("many", stream) for stream in STREAMS]

    async def rate(self, appends: int) -> float:
        """Append, that many times each, and return how many appends were made a second."""
        work = [[[write] for write in islice(client, appends)] for client in self._writes]
        start = time.perf_counter()
        await asyncio.gather(*map(self._client, work))
        return appends * CLIENTS / (time.perf_counter() - start)

    async def _client(self, commands: list[list[StreamWrite]]) -> None:
        for command in commands:
            await self._log.append(command)


async def measure(
    postgres: PostgresServer, rounds: int, appends: int, each: int
) -> list[tuple[float, float]]:
    """Return the figures of each round, one client and many; the first round warms up and is not among them."""
    server = Server(postgres.address(), "the server")
    logs = [
        await PostgresEventLog.open(server, name, create_as=lambda: uuid8("publication"))
        for name in ("one", "many")
    ]
    connection: Connection = await asyncpg.connect(postgres.address())
    try:
        one, many = OneClient(connection, 1), ManyClients(logs[1])
        figures = []
        for number in range(rounds + 1):
            if number % 2:
                single = await one.rate(appends)
                figures.append((single, await many.rate(each)))
            else:
                together = await many.rate(each)
                figures.append((await one.rate(appends), together))
        return figures[1:]
    finally:
        await connection.close()
        for log in logs:
            await log.aclose()


def report(what: str, values: list[float], form: str) -> None:
    low, _, high = statistics.quantiles(values, n=4)
    print(
        f"{what:28} {statistics.median(values):{form}}   (half of the rounds: {low:{form}} to {high:{form}})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20, help="rounds to measure (20)")
    parser.add_argument("--appends", type=int, default=200, help="appends a round of the one client (200)")
    parser.add_argument("--each", type=int, default=16, help="appends a round of each of the many (16)")
    arguments = parser.parse_args()
    # Not the system's folder for temporary files, which may be kept in memory: a sync must cost what it costs.
    postgres = PostgresServer(below=CHECKOUT)
    try:
        figures = uvloop.run(measure(postgres, arguments.rounds, arguments.appends, arguments.each))
        version = postgres.sql("SHOW server_version")
    finally:
        postgres.close()
    print(f"PostgreSQL {version}, appends a second, median of the rounds")
    report("  one client, asyncpg alone", [one for one, _ in figures], "9,.0f")
    report(f"  {CLIENTS} clients, one node", [many for _, many in figures], "9,.0f")
    ratios = [many / one for one, many in figures]
    report("  the ratio", ratios, "9.1f")
    kept = statistics.median(ratios) >= PROMISED
    print(f"{'':28} at least {PROMISED:.0f} is promised: {'kept' if kept else 'MISSED'}")
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
