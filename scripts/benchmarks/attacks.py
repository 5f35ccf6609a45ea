"""Attacks on a server in the production profile: the time that each takes, and the delay of ordinary queries.

One server process with one worker. First, each attack of `tests/integration/attacks.py` is sent alone, in several
variants, so that no rejection comes from a cache. The median of the processor time that all threads of the server spend
on it, as Linux reports it, must be at most 100 ms. Then 16 connections send ordinary queries, alternately without and
with an attacker. The attacker sends one attack after the other, as many per second as the profile allows a client
without a token. The 99th percentile of the times of ordinary queries must be at most three times that without an
attacker.

Exits with 1 if a target is missed.
"""

import argparse
import asyncio
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import uvicorn
import uvloop

from ledgerpress.commands.client_identity import LOCAL_OPERATOR, FixedIdentity
from ledgerpress.features.registry import graphql_schema
from ledgerpress.graphql.limits.settings import Limits
from ledgerpress.http.app import make_app
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.server.store import open_store
from scripts.workloads.generated_posts import HOUR, START, Generator, make_categories, record
from tests.integration.attacks import EVERY, Attack

CHECKOUT: Final = Path(__file__).resolve().parent.parent.parent
MOST_MILLISECONDS: Final = 100.0
GREATEST_RATIO: Final = 3.0
ORDINARY: Final = (
    "{ recentPosts(first: 20) { totalCount nodes { id slug title teaser age publishedAt categories { name } } } }",
    '{ category(slug: "section-3") { name articleCount articles { nodes { title teaser } } } }',
    "{ articles(first: 50) { edges { cursor node { title } } pageInfo { endCursor hasNextPage } } }",
    "{ categories { nodes { id name } } site { name } }",
)


class Connection:
    """A keep-alive connection to the server that sends one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> "Connection":
        """Connect to the server on this machine."""
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=2**24))

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()

    async def ask(self, body: bytes) -> tuple[float, bytes]:
        """Send a GraphQL request, and return the seconds until the response was complete, and its body."""
        head = (
            "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Accept: application/graphql-response+json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        started = time.perf_counter()
        self._writer.write(head.encode() + body)
        start, *lines = (await self._reader.readuntil(b"\r\n\r\n")).lower().splitlines()
        length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:"))
        response = await self._reader.readexactly(length)
        if b" 5" in start[8:11]:
            raise SystemExit(f"the server failed: {response!r}")
        return time.perf_counter() - started, response


class Attacker:
    """Writes attacks with different bodies, so that no response comes from a cache."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def body(self, attack: Attack) -> bytes:
        """Return the request body of a new variant of the attack, with a number in a comment."""
        query = f"{attack.query} #{next(self._numbers)}"
        return json.dumps({"query": query, "variables": attack.variables}).encode()


def processor_seconds(pid: int) -> float:
    """Return the processor seconds that the threads of a process have used so far."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


async def alone(port: int, pid: int, variants: int) -> bool:
    """Send each attack alone, print the slowest, and return whether all met the target.

    Raises `SystemExit` if an attack is not rejected.
    """
    attacker, connection = Attacker(), await Connection.open(port)
    for query in ORDINARY:  # work that a process does only once must not count as work of an attack
        await connection.ask(json.dumps({"query": query}).encode())
    times: dict[str, float] = {}
    for attack in EVERY:
        times_of_variants = []
        for _ in range(variants):
            before = processor_seconds(pid)
            _, response = await connection.ask(attacker.body(attack))
            await asyncio.sleep(0.002)  # the server does some work after it has sent the response
            times_of_variants.append((processor_seconds(pid) - before) * 1e3)
            if b'"data"' in response:
                raise SystemExit(f"the attack {attack.name!r} was not rejected: {response[:200]!r}")
        times[attack.name] = statistics.median(times_of_variants)
    connection.close()
    slowest = sorted(times.items(), key=lambda entry: -entry[1])
    print(f"{len(EVERY)} attacks, the median of {variants} variants each; the slowest:")
    for name, milliseconds in slowest[:8]:
        print(f"  {name:<50} {milliseconds:7.1f} ms")
    met = slowest[0][1] <= MOST_MILLISECONDS
    print("" if met else f"  target MISSED: at most {MOST_MILLISECONDS:.0f} ms")
    return met


async def p99(port: int, seconds: float, connections: int, *, rate: float) -> tuple[float, int, int]:
    """Return the 99th percentile of the times of ordinary queries in ms, and the numbers of queries and attacks."""
    until = time.perf_counter() + seconds
    times: list[float] = []
    attacks = 0

    async def ordinary(number: int) -> None:
        connection = await Connection.open(port)
        for query in itertools.islice(itertools.cycle(ORDINARY), number % len(ORDINARY), None):
            if time.perf_counter() >= until:
                break
            spent, response = await connection.ask(json.dumps({"query": query}).encode())
            if b'"errors"' in response:
                raise SystemExit(response.decode())
            times.append(spent * 1e3)
        connection.close()

    async def attack() -> None:
        nonlocal attacks
        attacker, connection = Attacker(), await Connection.open(port)
        started = time.perf_counter()
        for variant in itertools.cycle(EVERY):
            await asyncio.sleep(started + attacks / rate - time.perf_counter())
            if time.perf_counter() >= until:
                break
            await connection.ask(attacker.body(variant))
            attacks += 1
        connection.close()

    await asyncio.gather(*(ordinary(number) for number in range(connections)), *([attack()] if rate else []))
    return statistics.quantiles(times, n=100)[98], len(times), attacks


async def together(port: int, rounds: int, seconds: float, connections: int, rate: float) -> bool:
    """Send ordinary queries alternately without and with attacks, and return whether the delay meets the target."""
    print(
        f"{connections} connections with ordinary queries, without and with an attacker, {rounds} alternating rounds:"
    )
    ratios = []
    await p99(port, 1, connections, rate=0)
    for _ in range(rounds):
        quiet, many, _ = await p99(port, seconds, connections, rate=0)
        under, fewer, attacks = await p99(port, seconds, connections, rate=rate)
        ratios.append(under / quiet)
        print(
            f"  p99 {quiet:6.1f} ms of {many:6,}; {under:6.1f} ms of {fewer:6,} during {attacks:5,} attacks:"
            f" ratio {under / quiet:.2f}"
        )
    met = statistics.median(ratios) <= GREATEST_RATIO
    print(
        f"  median ratio {statistics.median(ratios):.2f}{'' if met else f'   target MISSED: at most {GREATEST_RATIO}'}"
    )
    return met


async def serve(data: Path) -> None:
    """Serve the store in `data` in the production profile, and print the port."""
    async with open_store(data) as store:
        # All clients have one address, so the server's rate limit is off; the benchmark limits the rate of attacks.
        settings = HttpSettings(requests_per_second=0, anonymous_requests_per_second=0)
        app = make_app(
            store,
            graphql_schema(),
            authenticator=FixedIdentity(LOCAL_OPERATOR),
            settings=settings,
            limits=Limits(),
        )
        listening = socket.create_server(("127.0.0.1", 0))
        print(listening.getsockname()[1], flush=True)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        await server.serve(sockets=[listening])


@asynccontextmanager
async def served(data: Path) -> AsyncIterator[tuple[int, int]]:
    """Run a server process, and provide its port and process id."""
    command: Sequence[str] = (sys.executable, "-m", "scripts.benchmarks.attacks", "--serve", str(data))
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ) as process:  # noqa: ASYNC220
        try:
            assert process.stdout is not None  # noqa: S101 - because of stdout=PIPE
            yield int(await asyncio.to_thread(process.stdout.readline)), process.pid
        finally:
            process.terminate()


async def measure(
    posts: int, variants: int, rounds: int, seconds: float, connections: int, rate: float
) -> bool:
    """Fill a store, serve it, attack it, and return whether all targets are met."""
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=CHECKOUT) as place:
        data = Path(place) / "store"
        async with open_store(data) as store:
            generator = Generator(await make_categories(store))
            await record(store, (generator.post(number, START + number * HOUR) for number in range(posts)))
        async with served(data) as (port, pid):
            met = await alone(port, pid, variants)
            return await together(port, rounds, seconds, connections, rate) and met


def main() -> None:
    """Measure, and exit with 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--posts", type=int, default=1_000)
    parser.add_argument("--variants", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--connections", type=int, default=16)
    allowed = HttpSettings().anonymous_requests_per_second
    parser.add_argument("--rate", type=float, default=allowed, help="attacks per second (%(default)s)")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        uvloop.run(serve(options.serve))
        return
    met = uvloop.run(
        measure(
            options.posts,
            options.variants,
            options.rounds,
            options.seconds,
            options.connections,
            options.rate,
        )
    )
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
