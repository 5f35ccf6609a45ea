"""Several workers against one process: processor time of each request, and transactions of the log.

Each round starts a server with one process and a server with `--workers` (2), in an order that changes each time, and
measures cached reads, cold reads and creations. The clients have one connection each, the same number to each worker.

Processor time is that of all processes of the server, in milliseconds for each request, and the part of the busiest
process. On as many free cores as workers, the rate is limited by the busiest process. So `gain` is the time of one
process divided by that of the busiest of several.

Exits with 1 if several workers need more than 1.2 times the transactions of one process, in the median of the rounds.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from tests.integration.keep_alive_client import Client, close_all
from tests.integration.server_process import Server, Servers
from tests.integration.worker_processes import append_groups, connections_to, workers_of

CHECKOUT: Final = Path(__file__).resolve().parent.parent.parent
MOST_TRANSACTIONS: Final = 1.2
TICKS: Final = os.sysconf("SC_CLK_TCK")
CACHED: Final = "cached reads"
COLD: Final = "cold reads"
CREATE: Final = "creations"
LIST: Final = "{ recentPosts(first: 10) { nodes { title slug } } }"
POST: Final = "query ($id: ID!) { post(id: $id) { title status body { text html } } }"
BODY: Final = "The council met again: the night market will move before winter. " * 30


class Figures(NamedTuple):
    """Milliseconds for each request: of all processes and of the busiest one. Requests per second; transactions."""

    all: float
    busiest: float
    rate: float
    groups: int = 0


async def measured(
    server: Server, clients: Sequence[Client], requests: int, send: Callable[[Client, int], Awaitable[object]]
) -> Figures:
    """Let the clients send `requests` requests, numbered from 0, and return the figures."""
    numbers = iter(range(requests))

    async def work(client: Client) -> None:
        for number in numbers:
            await send(client, number)

    pids = workers_of(server) or {server.pid}
    before, began = {pid: _processor_time(pid) for pid in pids}, time.monotonic()
    await asyncio.gather(*map(work, clients))
    seconds = time.monotonic() - began
    used = [(_processor_time(pid) - before[pid]) * 1_000 / requests for pid in pids]
    return Figures(sum(used), max(used), requests / seconds)


def _processor_time(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def round_of(
    servers: Servers, data: Path, workers: int, clients: int, requests: int
) -> dict[str, Figures]:
    """Measure one server."""
    server = await servers.start(data, *(() if workers == 1 else ("--workers", str(workers))))
    pids = sorted(workers_of(server))
    connected = (
        await connections_to(server, pids, clients)
        if pids
        else [await server.connect() for _ in range(clients)]
    )
    ids: list[str] = []

    async def create(client: Client, number: int) -> None:
        outcome = await client.mutate("postCreate", title=f"Post {number}", body=BODY, publish=True)
        ids.append(outcome.done["id"])

    async def read(client: Client, number: int) -> None:
        await client.execute(POST, id=ids[number])

    async def repeat(client: Client, _: int) -> None:
        await client.execute(LIST)

    await measured(server, connected, clients * 4, create)
    before = await append_groups(connected[0])
    created = await measured(server, connected, requests, create)
    figures = {CREATE: created._replace(groups=await append_groups(connected[0]) - before)}
    figures[COLD] = await measured(server, connected, len(ids), read)
    await measured(server, connected, clients * 4, repeat)
    figures[CACHED] = await measured(server, connected, requests * 4, repeat)
    await close_all(connected)
    if await server.stop() or server.words():
        raise RuntimeError(server.words())
    return figures


async def measure(workers: int, rounds: int, clients: int, requests: int) -> float:
    """Run the rounds, print the medians, and return the ratio of the transactions."""
    figures: dict[int, list[dict[str, Figures]]] = {1: [], workers: []}
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=CHECKOUT) as place:
        async with Servers(Path(place)) as servers:
            for number in range(rounds):
                for count in (1, workers) if number % 2 else (workers, 1):
                    data = Path(place) / f"data-{number}-{count}"
                    figures[count].append(await round_of(servers, data, count, clients, requests))
    print(f"{rounds} rounds, {clients} clients, processor time in ms for each request")
    print(f"{'':14}{'one process':>12}{f'{workers} workers':>12}{'busiest':>10}{'gain':>7}{'per second':>14}")
    for name in (CACHED, COLD, CREATE):
        single, several = (
            Figures(
                *map(statistics.median, zip(*(figures[count][n][name] for n in range(rounds)), strict=True))
            )
            for count in (1, workers)
        )
        print(
            f"{name:14}{single.all:12.3f}{several.all:12.3f}{several.busiest:10.3f}{single.all / several.busiest:7.2f}"
            f"{single.rate:7.0f}{several.rate:7.0f}"
        )
    ratio = statistics.median(
        several[CREATE].groups / single[CREATE].groups
        for single, several in zip(figures[1], figures[workers], strict=True)
    )
    print(f"transactions of the log for the same creations: {ratio:.2f} times those of one process")
    return ratio


def main() -> None:
    """Run the benchmark, and exit with 1 if there are too many transactions."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--requests", type=int, default=1_000)
    options = parser.parse_args()
    ratio = asyncio.run(measure(options.workers, options.rounds, options.clients, options.requests))
    if ratio > MOST_TRANSACTIONS:
        sys.exit(f"FAILED: {ratio:.2f} is more than {MOST_TRANSACTIONS}")


if __name__ == "__main__":
    main()
