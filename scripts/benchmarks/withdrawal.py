"""A withdrawal in a long log, against one in a short log, while a server answers readers.

For each size, the benchmark writes the log of a generated newsroom (`scripts/workloads/generated_log.py`) and serves it.
One reader sends queries without a pause, first without other work, then while payloads of `post.created` are withdrawn
one after another. A withdrawal is timed from opening the store until no file of the log and the views contains the
text: as `ledgerpress withdraw` does it, without the start of the program. At the end, the views must equal rebuilt ones.

Exits with 1 if views differ, if a withdrawal in the largest log takes more than three times as long as in the smallest
(medians), or if the 99th percentile of the readers' response times is more than twice that without withdrawals.
"""

import argparse
import asyncio
import http.client
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from random import Random
from typing import Any, Final

from ledgerpress.eventlog.clock_guard import set_default_limits
from ledgerpress.operator.verify import verify_views
from ledgerpress.operator.withdraw import withdraw
from ledgerpress.server.log_factory import open_log
from ledgerpress.server.log_url import LogUrl
from ledgerpress.server.settings.store_location import clock_limits
from scripts.benchmarks.join import CHECKOUT, make_log, place, ready
from tests.integration.server_process import Servers

PROCESSES: Final = get_context("spawn")
SIZES: Final = (10_000, 100_000)
FULL_SIZES: Final = (10_000, 1_000_000)
MOST: Final = 3.0
MOST_P99: Final = 2.0
REASON: Final = "Order 7/24 of the district court."
_LIST: Final = "{ articles(first: 100) { nodes { id } } }"
_ARTICLE: Final = "query ($id: ID!) { article(id: $id) { title slug body { html } authors { name } } }"


def read(port: int, stopped: Event, times: Connection) -> None:
    """Query random articles one after another until `stopped`; then send the start and duration of each request."""
    connection, chance = http.client.HTTPConnection("127.0.0.1", port), Random(1)  # noqa: S311
    nodes = _ask(connection, _LIST)["articles"]["nodes"]
    measured = []
    while not stopped.is_set():
        started = time.monotonic()
        _ask(connection, _ARTICLE, id=chance.choice(nodes)["id"])
        measured.append((started, time.monotonic() - started))
    times.send(measured)


def _ask(connection: http.client.HTTPConnection, query: str, **variables: str) -> Any:
    """Return the data of a response, which must have no errors."""
    body = json.dumps({"query": query, "variables": variables})
    connection.request("POST", "/graphql", body, {"Content-Type": "application/json"})
    response = json.loads(connection.getresponse().read())
    if "errors" in response:
        raise SystemExit(f"a query failed: {response['errors']}")
    return response["data"]


def p99(times: Sequence[tuple[float, float]], since: float, until: float) -> float:
    """Return the 99th percentile of the durations of requests that began in a period."""
    durations = [duration for started, duration in times if since <= started < until]
    return statistics.quantiles(durations, n=100)[98]


@dataclass(frozen=True)
class Result:
    """The median seconds of a withdrawal, and the readers' p99 in seconds without and with withdrawals."""

    events: int
    seconds: float
    quiet_p99: float
    busy_p99: float


async def created_positions(url: str, folder: Path, events: int, number: int) -> list[int]:
    """Return the positions of `number` events `post.created`, spread over the log."""
    positions = []
    async with aclosing(await open_log(LogUrl.parse(url), folder, create_as=None)) as log:
        for part in range(number):
            after, created = events * (part + 1) // (number + 2), list[int]()
            while not created:
                batch = await log.read(after, 100)
                created = [event.position for event in batch if event.header.type == "post.created"]
                after += len(batch)
            positions.append(created[0])
    return positions


async def measure(folder: Path, engine: str, events: int, withdrawals: int, quiet_seconds: float) -> Result:
    """Write a log, serve it, and withdraw payloads. Raises `SystemExit` if the views differ at the end."""
    data = folder / "data"
    with place(engine, folder) as url:
        await make_log(url, folder, events)
        positions = await created_positions(url, folder, events, withdrawals + 1)
        async with Servers(folder) as servers:
            server = await ready(await servers.launch(data, "--log", url))
            await withdraw(data, positions.pop(0), REASON, log=url)  # loads what only the first one needs
            stopped, (receiving, sending) = PROCESSES.Event(), PROCESSES.Pipe(duplex=False)
            port = (await server.address())[1]
            reader = PROCESSES.Process(target=read, args=(port, stopped, sending), daemon=True)
            reader.start()
            await asyncio.sleep(3)
            quiet_from = time.monotonic()
            await asyncio.sleep(quiet_seconds)
            busy_from, seconds = time.monotonic(), []
            for position in positions:
                started = time.monotonic()
                await withdraw(data, position, REASON, log=url)
                seconds.append(time.monotonic() - started)
                await asyncio.sleep(1)
            busy_to = time.monotonic()
            stopped.set()
            times = await asyncio.to_thread(receiving.recv)
            await server.stop()
        views = await verify_views(data, log=url)
        if views is None or views.failure or views.differing:
            raise SystemExit(f"the views differ from rebuilt views: {views}")
    return Result(
        events,
        statistics.median(seconds),
        p99(times, quiet_from, busy_from),
        p99(times, busy_from, busy_to),
    )


def show(result: Result) -> bool:
    """Print a result, and return whether the readers' target is met."""
    ratio = result.busy_p99 / result.quiet_p99
    print(
        f"{result.events:>11,} events   withdrawal {result.seconds * 1e3:8.0f} ms   readers' p99 "
        f"{result.quiet_p99 * 1e3:6.2f} ms without, {result.busy_p99 * 1e3:6.2f} ms with withdrawals: ratio {ratio:.2f}, "
        f"target: at most {MOST_P99}: {'met' if ratio <= MOST_P99 else 'MISSED'}",
        flush=True,
    )
    return ratio <= MOST_P99


def main() -> None:
    """Measure, and exit with 1 if a target is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--events", type=int, nargs="+", default=SIZES, help="events in each log (10000 100000)"
    )
    parser.add_argument("--full", action="store_true", help="logs of 10,000 and 1,000,000 events")
    parser.add_argument("--engine", choices=("sqlite", "postgres", "jetstream"), default="sqlite")
    parser.add_argument("--withdrawals", type=int, default=9, help="withdrawals per log (9)")
    parser.add_argument("--quiet", type=float, default=10.0, help="seconds of reads before them (10)")
    parser.add_argument(
        "--folder", type=Path, default=CHECKOUT, help="directory for the files (the checkout)"
    )
    options = parser.parse_args()
    set_default_limits(clock_limits(os.environ))
    results = []
    for events in FULL_SIZES if options.full else options.events:
        with tempfile.TemporaryDirectory(prefix=".bench-", dir=options.folder) as folder:
            measuring = measure(Path(folder), options.engine, events, options.withdrawals, options.quiet)
            results.append(asyncio.run(measuring))
    readers_met = [show(result) for result in results]
    ratio = results[-1].seconds / results[0].seconds
    print(
        f"longest / shortest log {ratio:.2f}   target: at most {MOST}: {'met' if ratio <= MOST else 'MISSED'}"
    )
    sys.exit(0 if all(readers_met) and ratio <= MOST else 1)


if __name__ == "__main__":
    main()
