"""Several workers against one process: requests per second on one core, and transactions of the log.

Each round starts a server with one process and a server with `--workers` (2), in an order that changes each time, and
measures cached reads, cold reads and creations. All processes of the server run on one core, and the clients on
another, which is not busy: the server always has requests to answer. So requests per second are requests per second of
processor time, and are comparable: on a core of its own, a worker that is not busy would answer fewer requests at a time,
which costs more for each.

`on as many cores` is the rate that the workers would reach on a core each, if they divide the work equally, as a
multiple of that of one process: the ratio of the rates, times the number of workers. `busiest` is the same limited by the
worker that used most processor time.

Exits with 1 if several workers need more than 1.2 times the transactions of one process, in the median of the rounds, or
if they would reach less than 1.8 times the rate in reads, or less than 1.4 times in creations.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from scripts.benchmarks.join import CHECKOUT
from scripts.benchmarks.mixed import UNLIMITED, graphql_request, processor_seconds
from scripts.workloads.raw_client import load
from tests.integration.keep_alive_client import Client
from tests.integration.server_process import EVERYONE_IS_ADMIN, Server, Servers
from tests.integration.worker_processes import append_groups, workers_of

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


class Figures(NamedTuple):
    """Requests per second, milliseconds of processor time for each, and the part of the busiest process, of 1."""

    rate: float
    milliseconds: float
    busiest: float
    groups: int = 0


def creations(numbers: Iterable[int]) -> Iterator[bytes]:
    """Yield requests to create and publish posts."""
    for number in numbers:
        values = {"title": f"Post {number}", "slug": f"post-{number}", "body": BODY, "publish": True}
        yield graphql_request(CREATION, input=values)


def reads(numbers: Iterable[int]) -> Iterator[bytes]:
    """Yield requests for posts, each once."""
    return (graphql_request(POST, slug=f"post-{number}") for number in numbers)


async def measured(server: Server, clients: int, requests: Iterator[bytes]) -> Figures:
    """Let clients send all requests, and return the figures."""
    _, port = await server.address()
    pids = workers_of(server) or {server.pid}
    before = {pid: processor_seconds(pid) for pid in pids}
    result = await asyncio.to_thread(load, port, requests, connections=clients, lacks=b'"errors"')
    used = [processor_seconds(pid) - before[pid] for pid in pids]
    answered = result.responses + result.late
    return Figures(answered / result.seconds, sum(used) * 1e3 / answered, max(used) / sum(used))


async def started(servers: Servers, data: Path, workers: int, core: int) -> Server:
    """Start a server whose processes all run on one core."""
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})  # children inherit it
    try:
        return await servers.start(data, *(() if workers == 1 else ("--workers", str(workers))))
    finally:
        os.sched_setaffinity(0, own)


async def transactions(server: Server) -> int:
    """Return the number of transactions in which a server has recorded appends."""
    client: Client = await server.connect()
    try:
        return await append_groups(client)
    finally:
        await client.aclose()


async def round_of(
    servers: Servers, data: Path, workers: int, core: int, clients: int, requests: int
) -> dict[str, Figures]:
    """Measure one server."""
    server = await started(servers, data, workers, core)
    first = range(requests, requests + clients * 8)
    await measured(server, clients, creations(first))
    before = await transactions(server)
    created = await measured(server, clients, creations(range(requests)))
    figures = {CREATE: created._replace(groups=await transactions(server) - before)}
    # Each process compiles the query once.
    await measured(server, clients, reads(first))
    figures[COLD] = await measured(server, clients, reads(range(requests)))
    await measured(server, clients, iter([LIST] * clients * 4))
    figures[CACHED] = await measured(server, clients, iter([LIST] * requests * 10))
    if await server.stop() or server.words():
        raise RuntimeError(server.words())
    return figures


async def measure(workers: int, rounds: int, clients: int, requests: int) -> list[str]:
    """Run the rounds, print the medians, and return the goals that were missed."""
    figures: dict[int, list[dict[str, Figures]]] = {1: [], workers: []}
    own, core = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {own})
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=CHECKOUT) as place:
        async with Servers(Path(place), EVERYONE_IS_ADMIN | UNLIMITED) as servers:
            for number in range(rounds):
                for count in (1, workers) if number % 2 else (workers, 1):
                    data = Path(place) / f"data-{number}-{count}"
                    figures[count].append(await round_of(servers, data, count, core, clients, requests))
    print(f"{rounds} rounds, {clients} clients; medians, and the least to the greatest ratio of a round")
    print(f"{'':14}{'per second':>18}{'ms per request':>18}{'on as many cores':>26}{'busiest':>10}")
    missed = []
    for name, least in LEAST.items():
        pairs = [(single[name], several[name]) for single, several in zip(*figures.values(), strict=True)]
        ratios = [several.rate / single.rate * workers for single, several in pairs]
        busiest = [several.rate / single.rate / several.busiest for single, several in pairs]
        rates = [f"{statistics.median(each.rate for each in side):,.0f}" for side in zip(*pairs, strict=True)]
        costs = [
            f"{statistics.median(each.milliseconds for each in side):.3f}"
            for side in zip(*pairs, strict=True)
        ]
        ratio = statistics.median(ratios)
        print(
            f"{name:14}{' → '.join(rates):>18}{' → '.join(costs):>18}"
            f"{f'{ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f})':>26}{statistics.median(busiest):10.2f}"
        )
        if ratio < least:
            missed.append(f"{name}: {ratio:.2f} is less than {least}")
    groups = statistics.median(
        several[CREATE].groups / single[CREATE].groups
        for single, several in zip(*figures.values(), strict=True)
    )
    print(f"transactions of the log for the same creations: {groups:.2f} times those of one process")
    if groups > MOST_TRANSACTIONS:
        missed.append(f"transactions: {groups:.2f} is more than {MOST_TRANSACTIONS}")
    return missed


def main() -> None:
    """Run the benchmark, and exit with 1 if a goal is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--requests", type=int, default=2_000)
    options = parser.parse_args()
    if missed := asyncio.run(measure(options.workers, options.rounds, options.clients, options.requests)):
        sys.exit(f"FAILED: {'; '.join(missed)}")


if __name__ == "__main__":
    main()
