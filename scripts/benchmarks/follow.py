"""Processor time of following the log one event at a time, as a server does with few writes.

The log is that of a generated newsroom. Views are built from most of it. Then the rest is followed with one event in
each transaction: once as a process follows events of another process, which it reads from the log and decodes, and once
as it follows its own events, which are handed over. Each round uses a new copy of the views. Processor time is that of
the process, with all its threads. At the end, all views must be equal.

Exits with 1 if own events take more than 0.3 ms each (median of the rounds).
"""

import argparse
import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import uvloop

from ledgerpress.adapters.sqlite_log.event_log import SqliteEventLog
from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.features.registry import all_projectors, event_codec
from ledgerpress.views.files.build import ViewsBuild
from ledgerpress.views.files.views_file_connections import ViewsFile
from ledgerpress.views.projection.runner import ProjectionRunner
from scripts.benchmarks.rebuild import CHECKOUT, digest_of, make_log

MOST: Final = 0.3
WAIT_SECONDS: Final = 600.0


async def build(log: SqliteEventLog, path: Path, until: int) -> None:
    """Build complete views from the events up to a position."""
    views = ViewsBuild.open(path, all_projectors(), began_at=0)
    await views.follow(log, event_codec(), until)
    views.finish()
    views.close()


async def follow(log: SqliteEventLog, path: Path, own: Sequence[Recorded[Event]]) -> float:
    """Follow the log to its head, and return the milliseconds of processor time for each event.

    `own` are the events that are handed over, one after another; without them, they are read from the log.
    """
    views = await ViewsFile.open(path, all_projectors(), create=False)
    try:
        runner = ProjectionRunner(log, event_codec(), views, all_projectors(), batch_size=1)
        await runner.start()
        before, head = min(point.position for point in runner.checkpoints.values()), await log.head()
        used = time.process_time()
        following = asyncio.create_task(runner.run())
        for event in own:
            runner.hand_over([event])
        if not await runner.wait_for(head, WAIT_SECONDS):
            raise SystemExit("the views did not reach the head of the log")
        used = time.process_time() - used
        following.cancel()
        await asyncio.wait([following])
    finally:
        await views.aclose()
    return used / (head - before) * 1e3


async def measure(folder: Path, events: int, followed: int, rounds: int) -> dict[str, list[float]]:
    """Return the milliseconds per event in each round, for events of other processes and for own events."""
    log = await SqliteEventLog.open(folder / "log", create_as=None)
    figures: dict[str, list[float]] = {"of another process": [], "of this process": []}
    try:
        await build(log, folder / "views", events - followed)
        own = event_codec().decode_all(await log.read(events - followed, followed))
        for number in range(rounds):
            digests = []
            for name in sorted(figures, reverse=bool(number % 2)):
                copy = Path(shutil.copy(folder / "views", folder / f"views of round {number} {name}"))
                figures[name].append(await follow(log, copy, own if name == "of this process" else ()))
                digests.append(digest_of(copy))
            if digests[0] != digests[1]:
                raise SystemExit("the two views differ")
    finally:
        await log.aclose()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=100_000, help="events in the log (100,000)")
    parser.add_argument("--followed", type=int, default=3_000, help="events to follow at its end (3,000)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds (5)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=CHECKOUT) as place:
        folder = Path(place)
        make_log(folder / "log", options.events)
        figures = uvloop.run(measure(folder, options.events, options.followed, options.rounds))
    print("milliseconds of processor time per event, one event at a time; median (least to greatest)")
    for name, values in figures.items():
        print(f"  events {name:20} {statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})")
    met = statistics.median(figures["of this process"]) <= MOST
    print(f"own events: at most {MOST}: {'met' if met else 'MISSED'}")
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
