"""Durable appends per second to PostgreSQL: 256 clients of one node against one client with one commit per event.

Both append to the same real server, which syncs to the disk of this checkout, in alternating rounds, so that a slow
moment of the machine affects both equally. Each append is one event with 1 KB of payload and an exact expected version,
into the same tables with the same triggers. The single client uses only asyncpg: it locks the head of its log, inserts
and commits rows that were prepared before. It has no competitors, so it counts the positions itself. The 256 clients
use the adapter, whose work is included: checks, commitments, and the lookup of versions and event ids.

Exits with 1 if the median of the ratios of all rounds misses the target.
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
TARGET_RATIO: Final = 8.0


def writes(name: str, stream: str) -> Iterator[StreamWrite]:
    """Yield the appends of one client without end."""
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
    """A client with the simplest correct append: lock the head, insert, commit."""

    def __init__(self, connection: Connection, log: int) -> None:
        self._connection = connection
        self._log = log
        self._head = 0
        self._writes = writes("one", STREAMS[0])

    async def rate(self, appends: int) -> float:
        """Append `appends` events, and return the appends per second."""
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
    """Clients of one log. Each appends again as soon as it receives the result."""

    def __init__(self, log: PostgresEventLog) -> None:
        self._log = log
        self._writes = [writes("many", stream) for stream in STREAMS]

    async def rate(self, appends: int) -> float:
        """Append `appends` events with each client, and return the appends per second of all clients."""
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
    """Return the appends per second of one client and of many, for each round after a first warm-up round."""
    server = Server(postgres.address(), "the server")
    logs = [
        await PostgresEventLog.open(server, name, create_as=lambda: uuid8("publication"))
        for name in ("one", "many")
    ]
    connection: Connection = await asyncpg.connect(postgres.address())
    try:
        single_client, many_clients = OneClient(connection, 1), ManyClients(logs[1])
        figures = []
        for number in range(rounds + 1):
            if number % 2:
                single = await single_client.rate(appends)
                figures.append((single, await many_clients.rate(each)))
            else:
                together = await many_clients.rate(each)
                figures.append((await single_client.rate(appends), together))
        return figures[1:]
    finally:
        await connection.close()
        for log in logs:
            await log.aclose()


def report(label: str, values: list[float], form: str) -> None:
    low, _, high = statistics.quantiles(values, n=4)
    print(
        f"{label:28} {statistics.median(values):{form}}   (half of the rounds: {low:{form}} to {high:{form}})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20, help="rounds to measure (20)")
    parser.add_argument(
        "--appends", type=int, default=200, help="appends of the single client per round (200)"
    )
    parser.add_argument(
        "--each", type=int, default=16, help="appends of each of the many clients per round (16)"
    )
    arguments = parser.parse_args()
    # Not the system's directory for temporary files, which may be in memory: syncs must really write to disk.
    postgres = PostgresServer(below=CHECKOUT)
    try:
        figures = uvloop.run(measure(postgres, arguments.rounds, arguments.appends, arguments.each))
        version = postgres.sql("SHOW server_version")
    finally:
        postgres.close()
    print(f"PostgreSQL {version}, appends per second, median of the rounds")
    report("  one client, asyncpg alone", [single for single, _ in figures], "9,.0f")
    report(f"  {CLIENTS} clients, one node", [many for _, many in figures], "9,.0f")
    ratios = [many / single for single, many in figures]
    report("  ratio", ratios, "9.1f")
    met = statistics.median(ratios) >= TARGET_RATIO
    print(f"{'':28} target: at least {TARGET_RATIO:.0f}: {'met' if met else 'MISSED'}")
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
