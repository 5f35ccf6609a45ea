"""Durable appends per second to NATS JetStream: the adapter against plain publishing, both with 256 clients.

One server with `sync_interval: always` has four JetStream streams, each with the configuration of a log: for the
adapter and for nats-py alone, and for both again with commands of several events, which are atomic batches. Every round
appends to all streams in rotating order, so that a slow moment of the machine affects all equally. Plain publishing
sends the same messages with the same headers and the same expected last sequence. Its messages are prepared before, so
the encoding, the commitments (HMAC), and the calculation and check of versions count as the adapter's work. Each client
has its own subject and appends again as soon as it receives the result. As many batches are in flight as the adapter
allows.

Exits with 1 if the median of a ratio over the rounds misses the target.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Coroutine, Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from typing import Final

import msgspec
import nats
import uvloop
from nats.aio.client import Client
from nats.aio.msg import Msg

from ledgerpress.adapters.jetstream.event_log import JetStreamEventLog
from ledgerpress.adapters.jetstream.message_codec import body_of
from ledgerpress.adapters.jetstream.publisher import MAX_OPEN_BATCHES
from ledgerpress.adapters.jetstream.subject_names import SubjectNames
from ledgerpress.adapters.jetstream.url import NatsUrl
from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.envelope import JSON_ENCODING, NewEvent, SealedPayload
from ledgerpress.eventlog.log import StreamWrite
from scripts.engines.nats import NatsServer, running

CHECKOUT: Final = Path(__file__).resolve().parent.parent.parent
CLIENTS: Final = 256
EVENTS: Final = 4
"""Number of events of a command that is recorded as a batch."""
EACH: Final = {1: 8, EVENTS: 1}
"""Appends of each client per round, by the number of events per append."""
PAYLOAD: Final = b'{"data":{"body":"' + b"x" * (1024 - 20) + b'"}}'
ACTOR: Final = uuid8("actor")
TARGET_RATIO: Final = 0.7


def writes(stream: str, size: int) -> Iterator[StreamWrite]:
    """Yield the appends of one client without end; each has `size` events."""
    for number in count():
        command = uuid8("command", stream, number)
        events = tuple(
            NewEvent(
                event_id=uuid8(command, index),
                type="post.edited",
                schema_version=1,
                recorded_at=1_700_000_000_000_000 + number,
                actor_id=ACTOR,
                command_id=command,
                correlation_id=command,
                payload=SealedPayload(JSON_ENCODING, PAYLOAD, number.to_bytes(32, "big")),
            )
            for index in range(size)
        )
        yield StreamWrite(stream, number * size, events)


class Adapter:
    """Clients that append through the adapter."""

    def __init__(self, log: JetStreamEventLog, size: int) -> None:
        self._log = log
        self._size = size
        self._clients = [writes(f"post.{uuid8(number)}", size) for number in range(CLIENTS)]

    async def rate(self) -> float:
        """Append one round, and return the appends per second."""
        work = [[[write] for write in islice(client, EACH[self._size])] for client in self._clients]
        return await timed([self._client(each) for each in work], CLIENTS * EACH[self._size])

    async def _client(self, commands: Sequence[Sequence[StreamWrite]]) -> None:
        for command in commands:
            await self._log.append(command)


class Bare:
    """Clients that publish prepared messages with nats-py alone."""

    def __init__(self, client: Client, names: SubjectNames, size: int) -> None:
        self._nats = client
        self._names = names
        self._size = size
        self._clients = [writes(f"post.{uuid8(number)}", size) for number in range(CLIENTS)]
        self._guards = [0] * CLIENTS
        self._batches = asyncio.Semaphore(MAX_OPEN_BATCHES)
        self._numbers = count(1)

    async def rate(self) -> float:
        """Publish one round, and return the commands per second."""
        work = [
            [self._messages(write) for write in islice(client, EACH[self._size])] for client in self._clients
        ]
        clients = [self._client(number, each) for number, each in enumerate(work)]
        return await timed(clients, CLIENTS * EACH[self._size])

    def _messages(self, write: StreamWrite) -> list[tuple[str, bytes]]:
        return [
            (event.event_id, body_of(event, write.expected + 1 + index, self._size - 1 - index, None))
            for index, event in enumerate(write.events)
        ]

    async def _client(self, number: int, commands: Sequence[Sequence[tuple[str, bytes]]]) -> None:
        subject = self._names.subject(f"post.{uuid8(number)}")
        for command in commands:
            if self._size == 1:
                ((message_id, body),) = command
                headers = {
                    "Nats-Msg-Id": message_id,
                    "Nats-Expected-Last-Subject-Sequence": str(self._guards[number]),
                }
                response = await self._nats.request(subject, body, timeout=10, headers=headers)
            else:
                async with self._batches:
                    response = await self._batch(subject, command, self._guards[number])
            result = msgspec.json.decode(response.data)
            if "error" in result:
                raise RuntimeError(f"the server rejected a message: {result}")
            self._guards[number] = result["seq"]

    async def _batch(self, subject: str, command: Sequence[tuple[str, bytes]], guard: int) -> Msg:
        batch = f"bare.{next(self._numbers)}"
        for index, (message_id, body) in enumerate(command, 1):
            headers = {"Nats-Msg-Id": message_id, "Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(index)}
            if index == 1:
                headers["Nats-Expected-Last-Subject-Sequence"] = str(guard)
            if index == len(command):
                headers["Nats-Batch-Commit"] = "1"
                return await self._nats.request(subject, body, timeout=10, headers=headers)
            await self._nats.publish(subject, body, headers=headers)
        raise AssertionError


async def timed(clients: Sequence[Coroutine[None, None, None]], commands: int) -> float:
    start = time.perf_counter()
    await asyncio.gather(*clients)
    return commands / (time.perf_counter() - start)


async def measure(server: NatsServer, rounds: int) -> list[dict[str, float]]:
    """Return the commands per second by name, for each round after a first warm-up round."""
    client = await nats.connect(f"nats://{server.address}")
    logs = {
        name: await JetStreamEventLog.open(
            NatsUrl.of(server.url(name)), create_as=lambda: uuid8("publication")
        )
        for name in ("one", "several", "bare-one", "bare-several")
    }
    try:
        turns: list[tuple[str, Adapter | Bare]] = [
            ("one", Adapter(logs["one"], 1)),
            ("bare one", Bare(client, SubjectNames("bare-one"), 1)),
            ("several", Adapter(logs["several"], EVENTS)),
            ("bare several", Bare(client, SubjectNames("bare-several"), EVENTS)),
        ]
        figures = []
        for number in range(rounds + 1):
            start = number % len(turns)
            figures.append({name: await clients.rate() for name, clients in turns[start:] + turns[:start]})
        return figures[1:]
    finally:
        for log in logs.values():
            await log.aclose()
        await client.close()


def report(label: str, values: list[float], form: str) -> None:
    low, _, high = statistics.quantiles(values, n=4)
    print(
        f"{label:34} {statistics.median(values):{form}}   (half of the rounds: {low:{form}} to {high:{form}})"
    )


def meets_target(label: str, ratios: list[float]) -> bool:
    report(label, ratios, "9.2f")
    met = statistics.median(ratios) >= TARGET_RATIO
    print(f"{'':34} target: at least {TARGET_RATIO}: {'met' if met else 'MISSED'}")
    return met


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20, help="rounds to measure (20)")
    arguments = parser.parse_args()
    # Not the system's directory for temporary files, which may be in memory: syncs must really write to disk.
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=CHECKOUT) as folder:
        server = NatsServer(Path(folder))
        with running(server), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            figures = runner.run(measure(server, arguments.rounds))
    print(f"commands per second, {CLIENTS} clients, median of the rounds")
    for name in ("one", "bare one", "several", "bare several"):
        report(f"  {name}", [rates[name] for rates in figures], "9,.0f")
    print("ratios, median of the rounds")
    met = [
        meets_target("  one event / bare", [rates["one"] / rates["bare one"] for rates in figures]),
        meets_target(
            f"  {EVENTS} events / bare", [rates["several"] / rates["bare several"] for rates in figures]
        ),
    ]
    sys.exit(0 if all(met) else 1)


if __name__ == "__main__":
    main()
