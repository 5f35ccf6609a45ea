"""Several workers against one process: requests per second on one core, and transactions of the log.

A server with one process and a server with `--workers` (2) run at the same time, and all their processes on one core.
They take turns of a fraction of a second, in an order that changes each time, so that both get the machine as it is at
the moment. The clients run on another core, which is not busy: the server always has requests to answer. So requests per
second are requests per second of processor time, and are comparable: on a core of its own, a worker that is not busy
would answer fewer requests at a time, which costs more for each.

`on N cores` is the rate that the workers would reach on a core each, if they divide the work equally, as a multiple of
that of one process: the ratio of the rates, times the number of workers. The processor time for each request includes
that of the supervisor.

Two busy processes on one core displace each other's data from its caches, whatever they do. So as many servers of one
process each, with a store of their own, take turns too, each with its part of the clients and requests: a comparison with
them shows what the workers cost because they are one server.

Exits with 1 if several workers need more than 1.2 times the transactions of one process, or if, compared with as many
servers, they would reach less than 1.8 times the rate in reads, or less than 1.4 times in creations, in the median.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, repeat
from pathlib import Path
from typing import Final, NamedTuple

from scripts.benchmarks.join import CHECKOUT
from scripts.benchmarks.mixed import UNLIMITED, graphql_request
from scripts.peers.processes import Cores, processor_seconds
from scripts.workloads.raw_client import Load, load
from tests.integration.keep_alive_client import Client
from tests.integration.server_process import EVERYONE_IS_ADMIN, Server, Servers
from tests.integration.worker_processes import append_groups

MOST_TRANSACTIONS: Final = 1.2
CACHED: Final = "cached reads"
COLD: Final = "cold reads"
CREATE: Final = "creations"
LEAST: Final = {CACHED: 1.8, COLD: 1.8, CREATE: 1.4}
LIST: Final = graphql_request("{ recentPosts(first: 10) { nodes { title slug } } }")
POST: Final = "query ($slug: String!) { post(slug: $slug) { title status body { text html } } }"
CREATION: Final = (
    "mutation ($input: PostCreateInput!) { postCreate(input: $input) { position userErrors { code } } }"
)
BODY: Final = "The council met again: the night market will move before winter. " * 30
READS_PER_POST: Final = 10
"""Cached reads for each post."""
ONE: Final = "one process"
WORKERS: Final = "workers"
SERVERS: Final = "servers"


class Measured(NamedTuple):
    """The port of a server, and the process id from which all its processes descend."""

    port: int
    pid: int


class Turn(NamedTuple):
    """Requests per second, and milliseconds of processor time for each."""

    rate: float
    milliseconds: float


def creations(numbers: Iterable[int]) -> Iterator[bytes]:
    """Yield requests to create and publish posts."""
    for number in numbers:
        values = {"title": f"Post {number}", "slug": f"post-{number}", "body": BODY, "publish": True}
        yield graphql_request(CREATION, input=values)


def reads(numbers: Iterable[int]) -> Iterator[bytes]:
    """Yield requests for posts, each once."""
    return (graphql_request(POST, slug=f"post-{number}") for number in numbers)


def turn(servers: Sequence[Measured], clients: int, kind: str, posts: range) -> Turn:
    """Let clients send the requests of a turn, divided between the servers, and return the figures."""
    count = len(servers)

    def part(number: int) -> Load:
        requests = requests_of(kind, posts[number::count])
        return load(servers[number].port, requests, connections=clients // count, lacks=b'"errors"')

    before = sum(processor_seconds(server.pid) for server in servers)
    with ThreadPoolExecutor(count) as threads:
        results = list(threads.map(part, range(count)))
    used = sum(processor_seconds(server.pid) for server in servers) - before
    answered = sum(result.responses + result.late for result in results)
    return Turn(answered / max(result.seconds for result in results), used * 1e3 / answered)


async def transactions(server: Server) -> int:
    """Return the number of transactions in which a server has recorded appends."""
    client: Client = await server.connect()
    try:
        return await append_groups(client)
    finally:
        await client.aclose()


def requests_of(kind: str, posts: range) -> Iterator[bytes]:
    """Return the requests of a turn in which each of these posts has its part."""
    if kind == CREATE:
        return creations(posts)
    return reads(posts) if kind == COLD else repeat(LIST, len(posts) * READS_PER_POST)


def take_turns(
    kind: str, sides: Mapping[str, Sequence[Measured]], turns: int, clients: int, posts: int
) -> dict[str, list[Turn]]:
    """Let the sides take turns with `posts` posts each, after one that does not count."""
    turns_of: dict[str, list[Turn]] = {side: [] for side in sides}
    for number in range(turns + 1):
        for side in tuple(sides)[:: 1 if number % 2 else -1]:
            turn_posts = range(number * posts, (number + 1) * posts)
            turns_of[side].append(turn(sides[side], clients, kind, turn_posts))
    return {side: each[1:] for side, each in turns_of.items()}


def line(kind: str, turns_of: Mapping[str, list[Turn]], workers: int) -> float:
    """Print the figures of a kind of requests; return the rate on as many cores as workers, compared with servers."""
    rates, spent = (
        " → ".join(
            form.format(statistics.median(turn[index] for turn in turns_of[side])) for side in (ONE, WORKERS)
        )
        for index, form in enumerate(("{:,.0f}", "{:.3f}"))
    )
    ratio, cells = 0.0, [f"{kind:14}{rates:>18}{spent:>18}"]
    for side in (ONE, SERVERS):
        pairs = list(zip(turns_of[WORKERS], turns_of[side], strict=True))
        costs = [turn.milliseconds / other.milliseconds for turn, other in pairs]
        ratios = [turn.rate / other.rate * workers for turn, other in pairs]
        ratio = statistics.median(ratios)
        cells.append(f"{spread(costs):>22}{spread(ratios):>22}")
    print("".join(cells), flush=True)
    return ratio


def spread(ratios: list[float]) -> str:
    """Return the median of ratios, and the middle half of them, as text."""
    low, median, high = statistics.quantiles(ratios, n=4)
    return f"{median:.2f} ({low:.2f} to {high:.2f})"


async def measure(workers: int, turns: int, clients: int, posts: int) -> list[str]:
    """Let the servers take their turns, print the figures, and return the goals that were missed."""
    cores = Cores.of_this_machine()
    os.sched_setaffinity(0, {cores.generator})
    print(f"{turns} turns, {clients} clients; medians, and the middle half of the ratios of the turns")
    print(f"{'':14}{'':>36}{'compared with one process':>44}{f'compared with {workers} servers':>44}")
    compared = f"{'ms per request':>22}{f'on {workers} cores':>22}" * 2
    print(f"{'':14}{'per second':>18}{'ms per request':>18}{compared}", flush=True)
    missed = []
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=CHECKOUT) as place:
        async with Servers(Path(place), EVERYONE_IS_ADMIN | UNLIMITED) as servers:

            async def started(name: str, *options: str) -> Server:
                with cores.starting():
                    return await servers.start(Path(place) / name, *options)

            running = {
                ONE: [await started("one")],
                WORKERS: [await started("workers", "--workers", str(workers))],
                SERVERS: [await started(f"server-{number}") for number in range(workers)],
            }
            sides = {side: [await measured(server) for server in each] for side, each in running.items()}
            single, several = running[ONE][0], running[WORKERS][0]
            before = [await transactions(server) for server in (single, several)]
            for kind in (CREATE, COLD, CACHED):
                turns_of = await asyncio.to_thread(take_turns, kind, sides, turns, clients, posts)
                if (ratio := line(kind, turns_of, workers)) < LEAST[kind]:
                    missed.append(f"{kind}: {ratio:.2f} is less than {LEAST[kind]}")
            # Reads record nothing.
            after = [await transactions(server) for server in (single, several)]
            for server in chain(*running.values()):
                if await server.stop() or server.words():
                    raise RuntimeError(server.words())
    groups = (after[1] - before[1]) / (after[0] - before[0])
    print(f"transactions of the log for the same creations: {groups:.2f} times those of one process")
    if groups > MOST_TRANSACTIONS:
        missed.append(f"transactions: {groups:.2f} is more than {MOST_TRANSACTIONS}")
    return missed


async def measured(server: Server) -> Measured:
    """Return what is measured of a server."""
    return Measured((await server.address())[1], server.pid)


def main() -> None:
    """Run the benchmark, and exit with 1 if a goal is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--posts", type=int, default=400, help="posts of each turn (default: 400)")
    options = parser.parse_args()
    if missed := asyncio.run(measure(options.workers, options.turns, options.clients, options.posts)):
        sys.exit(f"FAILED: {'; '.join(missed)}")


if __name__ == "__main__":
    main()
