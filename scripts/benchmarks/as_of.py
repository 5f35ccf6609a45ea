"""Recent posts and a category page as of past positions, against the present: 100,000 posts with ten edits each.

The log has 2.45 million events. Each post has three events (created, added to one of ten categories, published), and
posts are dated an hour apart. Then come ten rounds of edits. Each round edits all posts, a tenth at a time. An edit has
two events (the title is edited, the edit is published with the post's date), so every edit creates a new version of the
article. At the end, a late import adds 50,000 posts of three events each. They are dated in the 50 ms before the newest
post, and all belong to the category of that post, which is the category that is read.

The log is written first, in large transactions. Then the views are built from the log, as after a loss of the views.
Reads go through the whole GraphQL layer, alternating between past and today. Positions are distributed over the whole
log, a tenth of them in its first hundredth, and read in a scattered order. The views file is read once before, so it is
in the operating system's cache and no read waits for the disk. Each position is read twice. The targets apply to the
first read: for it, SQLite's cache contains only pages that the past position shares with other reads, while today's
page has just been read. They also apply to the processor time of this read, because waiting hides the cost of a read on
a busy machine. The better of the two reads is printed too.

Exits with 1 if a ratio misses its target: median 2.5, p99 5, just before the late import 20.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import uvloop

from ledgerpress.adapters.sqlite_log.event_reads_and_group_append import append_group
from ledgerpress.adapters.sqlite_log.log_file import open_log_file
from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.group_commit import AppendRequest
from ledgerpress.eventlog.log import StreamWrite
from ledgerpress.features.registry import graphql_schema
from ledgerpress.graphql.executor import Executor
from ledgerpress.server.data_directory import LOG_FILE
from ledgerpress.server.store import Store, open_store
from ledgerpress.sqlite.connection import SerialConnection
from scripts.workloads.generated_posts import CATEGORIES, HOUR, START, Generator, make_categories

CHECKOUT = Path(__file__).resolve().parent.parent.parent
EDITS = 10
MEDIAN, P99, WORST = 2.5, 5.0, 20.0
TRANSACTION = 50_000
"""Posts or edits per transaction of the log."""
LOG_CACHE_KIB = 512 * 1024
"""The cache of the log's writer. Event ids are random, so a transaction changes most pages of their index."""
BATCH = 1_000
"""Events per transaction of the views. Larger transactions are slower: with temporary storage in memory, SQLite scans
the whole journal of a savepoint after each INSERT … SELECT and each UPDATE of more than one row."""
RECENT = "query ($at: AsOf) { recentPosts(first: 20, asOf: $at) { totalCount nodes { title } } }"
CATEGORY = 'query ($at: AsOf) { category(slug: "section-%d", asOf: $at) { articles { totalCount nodes { title } } } }'


def posts(generator: Generator, count: int) -> Iterator[StreamWrite]:
    """Yield `count` posts, dated an hour apart."""
    for number in range(count):
        yield generator.post(number, START + number * HOUR)


def edits(generator: Generator, count: int) -> Iterator[StreamWrite]:
    """Yield ten edits of every post, a tenth of the posts at a time."""
    for edit in range(EDITS):
        for tenth in range(10):
            for number in range(tenth, count, 10):
                yield generator.edit(number, 3 + 2 * edit, START + number * HOUR)


def late_posts(generator: Generator, count: int, late: int) -> Iterator[StreamWrite]:
    """Yield `late` posts dated just before the newest of `count` posts, in its category."""
    newest = count - 1
    for number in range(1, late + 1):
        yield generator.post(newest + number * CATEGORIES, START + newest * HOUR - number)


async def write_log(data: Path, count: int, late: int) -> None:
    """Write the log."""
    async with open_store(data) as store:
        generator = Generator(await make_categories(store))
    connection, _ = await open_log_file(data / LOG_FILE, create_as=None)
    try:
        await connection.run(lambda db: db.execute(f"PRAGMA cache_size = -{LOG_CACHE_KIB}"))
        # A transaction may contain each stream only once, and the edits return to the same post after `count` edits.
        most = min(TRANSACTION, count)
        await append(connection, "posts", posts(generator, count), most)
        await append(connection, "edits", edits(generator, count), most)
        await append(connection, "late import", late_posts(generator, count, late), most)
    finally:
        await connection.close()


async def append(connection: SerialConnection, label: str, writes: Iterable[StreamWrite], most: int) -> None:
    """Record `writes`, at most `most` per transaction, and print the progress."""
    started, source = time.perf_counter(), iter(writes)
    while batch := list(islice(source, most)):
        (outcome,) = await connection.run(partial(append_group, commands=[AppendRequest.of(batch)]))
        if not isinstance(outcome, int):
            raise outcome
        print(f"  {label}: head {outcome:,}, {time.perf_counter() - started:.0f} s", flush=True)


def show_views(position: int, head: int) -> None:
    """Print the progress of the views every 100,000 events."""
    if position // 100_000 > (position - BATCH) // 100_000 or position == head:
        print(f"  views: {position:,} of {head:,}", flush=True)


def warm(file: Path) -> None:
    """Read a file once, so that it is in the operating system's cache."""
    with file.open("rb") as opened:
        while opened.read(2**20):
            pass


class Read(NamedTuple):
    """The wall-clock seconds and the processor seconds of a read."""

    lasted: float
    worked: float


async def ask(engine: Executor, store: Store, query: str, position: int | None) -> dict[str, Any]:
    """Execute a query as of a position, or as of today if it is `None`, and return the data."""
    variables = {} if position is None else {"at": {"position": position}}
    response = await engine.execute_document(store, query, variables=variables)
    if "errors" in response.body:
        raise SystemExit(str(response.body["errors"]))
    data: dict[str, Any] = response.body["data"]
    return data


async def timed(engine: Executor, store: Store, query: str, position: int | None) -> Read:
    """Execute a query in this thread, and return its duration."""
    began, worked = time.perf_counter(), time.thread_time()
    await ask(engine, store, query, position)
    return Read(time.perf_counter() - began, time.thread_time() - worked)


async def check(engine: Executor, store: Store, before: int, count: int, late: int) -> None:
    """Check that responses of today contain the late import, and responses as of just before it do not."""
    newest = (count - 1) % CATEGORIES
    for position, imported in ((before, 0), (None, late)):
        recent = await ask(engine, store, RECENT, position)
        page = await ask(engine, store, CATEGORY % newest, position)
        counts = (recent["recentPosts"]["totalCount"], page["category"]["articles"]["totalCount"])
        if counts != (count + imported, (count - 1) // CATEGORIES + 1 + imported):
            raise SystemExit(f"the responses as of {position} contain wrong counts: {counts}")


async def compare(
    engine: Executor, store: Store, query: str, positions: Sequence[int], limits: tuple[float, float]
) -> bool:
    """Read each position and today alternately; print the ratios, and return whether median and p99 meet `limits`."""
    for _ in range(30):
        await timed(engine, store, query, None)
        await timed(engine, store, query, 0)
    past, today = [], []
    for number, position in enumerate(positions):
        then, now = [], []
        for _ in range(2):
            if number % 2:
                now.append(await timed(engine, store, query, None))
            then.append(await timed(engine, store, query, position))
            if not number % 2:
                now.append(await timed(engine, store, query, None))
        past.append(then)
        today.append(now)
    print_ratios(
        "better of two", *([min(read.lasted for read in both) for both in side] for side in (past, today))
    )
    first = print_ratios("first", *([both[0].lasted for both in side] for side in (past, today)))
    worked = print_ratios("first, processor", *([both[0].worked for both in side] for side in (past, today)))
    return all(
        ratios[name] <= most
        for ratios in (first, worked)
        for name, most in zip(("median", "p99"), limits, strict=True)
    )


def print_ratios(title: str, past: Sequence[float], today: Sequence[float]) -> dict[str, float]:
    """Print and return the ratios of the medians, of the 99th percentiles and of the maximums."""
    ratios = {}
    for label, share in (("median", 0.5), ("p99", 0.99), ("worst", 1.0)):
        then, now = (sorted(times)[ceil(share * len(times)) - 1] * 1e6 for times in (past, today))
        ratios[label] = then / now
        print(
            f"    {title:<16} {label:<7} as of {then:7.0f} us   today {now:7.0f} us   ratio {then / now:.2f}"
        )
    return ratios


async def measure(count: int, late: int, reads: int, permanent: Path | None) -> bool:
    """Fill a store unless `permanent` is already filled, measure it, and return whether every target is met."""
    engine = Executor(graphql_schema())
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=CHECKOUT) as place:
        data, started = permanent or Path(place) / "store", time.perf_counter()
        if not (data / LOG_FILE).exists():
            print("filling")
            await write_log(data, count, late)
        async with open_store(data, batch_size=BATCH, progress=show_views) as store:
            views, head = store.views.path, await store.log.head()
            before = head - 3 * late
            print(f"  {head:,} events: {time.perf_counter() - started:.0f} s in total", flush=True)
        warm(views)
        async with open_store(data) as store:
            await check(engine, store, before, count, late)
            early = reads // 10
            positions = [1 + number * (head // 100) // early for number in range(early)]
            positions += [head * number // (reads - early) for number in range(1, reads - early + 1)]
            positions.sort(key=lambda position: uuid8("read", position))
            met = []
            for name, query in (
                ("recent posts", RECENT),
                ("category page", CATEGORY % ((count - 1) % CATEGORIES)),
            ):
                print(
                    f"{name}: {reads:,} positions over the whole log, a tenth of them in its first hundredth"
                )
                met.append(await compare(engine, store, query, positions, (MEDIAN, P99)))
                print(f"{name}: 200 times just before the late import of {late:,} posts")
                met.append(await compare(engine, store, query, [before] * 200, (WORST, WORST)))
            print("all targets met" if all(met) else "a target was MISSED, see above")
            return all(met)


def main() -> None:
    """Measure, and exit with 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--posts", type=int, default=100_000)
    parser.add_argument("--late", type=int, default=50_000)
    parser.add_argument("--reads", type=int, default=1_000)
    parser.add_argument(
        "--store", type=Path, help="a directory to fill and keep, or one that an earlier run filled"
    )
    options = parser.parse_args()
    met = uvloop.run(measure(options.posts, options.late, options.reads, options.store))
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
