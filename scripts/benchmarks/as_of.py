"""Recent posts and a category page as of past positions, against today's: 100,000 posts with ten edits each.

The log: all posts, then rounds of edits over a tenth of the posts each, every edit published; then, in its last part,
a late import of 50,000 posts dated just under the newest one. Reads go through the whole GraphQL layer, a past one and
today's in turn. Positions are spread over the whole log, a tenth of them in its earliest hundredth.

Exits with 1 where a ratio misses what is promised: median 2.5, p99 5, just before the late import 20.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import strawberry
import uvloop

from ledgerpress.compose.store import Store, open_store
from ledgerpress.eventlog.log import StreamWrite
from ledgerpress.graphql.schema import execute, make_schema
from scripts.generated_posts import HOUR, START, Generator, make_categories, record

CHECKOUT = Path(__file__).resolve().parent.parent.parent
EDITS = 10
MEDIAN, P99, WORST = 2.5, 5.0, 20.0
QUERIES = {
    "recentPosts": "query ($at: AsOf) { recentPosts(first: 20, asOf: $at) { totalCount nodes { title } } }",
    "category page": (
        'query ($at: AsOf) { category(slug: "section-3", asOf: $at)'
        " { articles { totalCount nodes { title } } } }"
    ),
}


def edits(generator: Generator, count: int) -> Iterator[StreamWrite]:
    """Edit every post ten times, a tenth of the posts at a time."""
    for edit in range(EDITS):
        for tenth in range(10):
            for number in range(tenth, count, 10):
                yield generator.edit(number, 3 + 2 * edit, START + number * HOUR)


async def fill(store: Store, count: int, late: int) -> int:
    """Write the history, and return the position just before the late import."""
    generator = Generator(await make_categories(store))
    await record(store, (generator.post(number, START + number * HOUR) for number in range(count)))
    before = await record(store, edits(generator, count))
    newest = START + (count - 1) * HOUR
    await record(store, (generator.post(count + number, newest - 1 - number) for number in range(late)))
    return before


async def timed(schema: strawberry.Schema, store: Store, query: str, position: int | None) -> float:
    """Execute a query, and return how long it took, in seconds."""
    variables = {} if position is None else {"at": {"position": position}}
    started = time.perf_counter()
    answer = await execute(schema, store, query, variables=variables)
    seconds = time.perf_counter() - started
    if "errors" in answer.body:
        raise SystemExit(str(answer.body["errors"]))
    return seconds


async def compare(
    schema: strawberry.Schema, store: Store, name: str, positions: list[int]
) -> tuple[float, float]:
    """Read each position and today in turn; print and return the ratios of the medians and of the p99s."""
    query = QUERIES[name]
    for position in positions[:30]:
        await timed(schema, store, query, position)
    past, today = [], []
    for position in positions:
        past.append(min([await timed(schema, store, query, position) for _ in range(2)]))
        today.append(min([await timed(schema, store, query, None) for _ in range(2)]))
    figures = []
    for label, share in (("median", 0.5), ("p99", 0.99)):
        then, now = (
            statistics.quantiles(times, n=1_000)[round(share * 1_000) - 1] * 1e6 for times in (past, today)
        )
        figures.append(then / now)
        print(f"  {name:<14} {label:<7} as of {then:7.0f} us   today {now:7.0f} us   ratio {then / now:.2f}")
    return figures[0], figures[1]


async def measure(count: int, late: int, reads: int) -> bool:
    """Fill a store and measure it; return whether every promise is kept."""
    schema = make_schema()
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=CHECKOUT) as place:
        async with open_store(Path(place) / "store") as store:
            print("filling")
            before = await fill(store, count, late)
            head = await store.log.head()
            early = reads // 10
            positions = [1 + number * (head // 100) // early for number in range(early)]
            positions += [head * number // (reads - early) for number in range(1, reads - early + 1)]
            kept = []
            for name in QUERIES:
                print(f"{reads} positions over {head:,} events, the earliest hundredth included")
                median, p99 = await compare(schema, store, name, positions)
                print("just before the late import")
                worst, _ = await compare(schema, store, name, [before] * 200)
                kept.append(median <= MEDIAN and p99 <= P99 and worst <= WORST)
            return all(kept)


def main() -> None:
    """Measure, and exit with 1 where a promise is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--posts", type=int, default=100_000)
    parser.add_argument("--late", type=int, default=50_000)
    parser.add_argument("--reads", type=int, default=1_000)
    options = parser.parse_args()
    sys.exit(0 if uvloop.run(measure(options.posts, options.late, options.reads)) else 1)


if __name__ == "__main__":
    main()
