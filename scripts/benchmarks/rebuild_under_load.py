"""A rebuild under load: 16 clients query and 4 edit while the views are rebuilt, with two kills, and then switched.

The clients send requests to one server over HTTP: first without other work, then while `ledgerpress rebuild` runs in
another process, is killed twice and resumed, and the server switches to the new views. Every response is checked: none
fails, no position is earlier than a previous one, and each client sees its own edits.

Exits with 1 if a check fails, if the views differ, or if the 99th percentile of the response times is more than three
times that without a rebuild.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import uvloop

from ledgerpress.server.store import open_store
from scripts.workloads.generated_posts import HOUR, START, Generator, make_categories, record
from tests.integration.rebuild_load import Load, clients, rebuild
from tests.integration.server_process import PROGRAM, serving

CHECKOUT: Final = Path(__file__).resolve().parent.parent.parent
MOST: Final = 3.0
KILLED_AFTER: Final = (2.0, 3.0)


async def fill(data: Path, posts: int) -> None:
    """Create a store with `posts` posts of three events each."""
    async with open_store(data) as store:
        generator = Generator(await make_categories(store))
        await record(store, (generator.post(number, START + number * HOUR) for number in range(posts)))


def compare(load: Load, kind: str, quiet: tuple[float, float], busy: tuple[float, float]) -> bool:
    """Print the response times of one kind of request, and return whether the target is met."""
    times = [load.times(kind, *span) for span in (quiet, busy)]
    medians = [statistics.median(durations) for durations in times]
    p99s = [statistics.quantiles(durations, n=100)[98] for durations in times]
    ratio = p99s[1] / p99s[0]
    for label, durations, median, p99 in zip(("quiet", "rebuild"), times, medians, p99s, strict=True):
        print(
            f"  {kind:<6} {label:<8} {len(durations):6,} requests   median {median * 1e3:6.2f} ms   p99 {p99 * 1e3:6.2f} ms"
        )
    print(
        f"  {kind:<6} p99 ratio {ratio:.2f}, target: at most {MOST}: {'met' if ratio <= MOST else 'MISSED'}"
    )
    return ratio <= MOST


async def measure(posts: int, quiet_seconds: float, pause: float) -> bool:
    """Fill a store, serve it and rebuild its views; return whether all targets are met and all checks succeed."""
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=CHECKOUT) as place:
        data = Path(place) / "store"
        await fill(data, posts)
        async with serving(data, 1) as (server,), clients(server, pause) as load:
            await asyncio.sleep(2)
            quiet_from = time.time()
            await asyncio.sleep(quiet_seconds)
            busy_from = time.time()
            rebuilt = await rebuild(data, server, KILLED_AFTER)
            await asyncio.sleep(1)
            busy_to = time.time()
        print(f"rebuild: {busy_to - busy_from:.1f} s, killed twice, after {rebuilt.killed_at} events")
        differing = rebuilt.answer["compared"]["tables"]
        print(
            f"compared at position {rebuilt.answer['compared']['position']:,}: tables that differ: {differing}"
        )
        within = load.within(rebuilt.switched_from, rebuilt.switched_to)
        milliseconds = (rebuilt.switched_to - rebuilt.switched_from) * 1e3
        print(
            f"switch: {milliseconds:.0f} ms, with {within['query']} queries and {within['edit']} edits in progress"
        )
        met = [
            compare(load, kind, (quiet_from, busy_from), (busy_from, busy_to)) for kind in ("query", "edit")
        ]
        print(f"failed requests and responses that were too old: {len(load.wrong)}")
        for line in load.wrong[:10]:
            print(f"  {line}")
        verifying = await asyncio.create_subprocess_exec(*PROGRAM, "verify", "--data", data)
        return all(met) and not load.wrong and not differing and await verifying.wait() == 0


def main() -> None:
    """Measure, and exit with 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--posts", type=int, default=30_000)
    parser.add_argument("--quiet", type=float, default=15.0, help="seconds of load before the rebuild")
    parser.add_argument("--pause", type=float, default=0.2, help="seconds between requests of a client")
    options = parser.parse_args()
    sys.exit(0 if uvloop.run(measure(options.posts, options.quiet, options.pause)) else 1)


if __name__ == "__main__":
    main()
