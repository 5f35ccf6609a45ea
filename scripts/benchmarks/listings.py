"""The first page of recent posts and of a category: 100,000 posts against 1,000.

Both stores contain the same events for each post (created, categorized, published). They are read alternately, through
the whole GraphQL layer and through the read models alone. A tenth of all posts is in the requested category.

Exits with 1 if a ratio of the medians misses the target.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop

from ledgerpress.features.categories import queries as categories
from ledgerpress.features.posts import article_queries
from ledgerpress.features.registry import graphql_schema
from ledgerpress.graphql.executor import Executor
from ledgerpress.server.store import Store, open_store
from ledgerpress.views.paging import PageRequest, page_of
from scripts.workloads.generated_posts import HOUR, START, Generator, make_categories, record

CHECKOUT = Path(__file__).resolve().parent.parent.parent
GREATEST_RATIO = 1.5
RECENT = "{ recentPosts(first: 20) { totalCount nodes { title teaser age categories { name } } } }"
CATEGORY = (
    '{ category(slug: "section-3") { articleCount articles { totalCount nodes { title teaser age } } } }'
)


async def fill(store: Store, count: int) -> None:
    """Write `count` posts, dated an hour apart."""
    generator = Generator(await make_categories(store))
    await record(store, (generator.post(number, START + number * HOUR) for number in range(count)))


def read_recent(store: Store) -> None:
    """Read the first page of recent posts through the read models."""
    with store.snapshot() as snapshot:
        for key in page_of(snapshot, [0], PageRequest(20)).entries:
            article_queries.by_seq(snapshot, key.post)
        article_queries.count_articles(snapshot)


def read_category(store: Store) -> None:
    """Read the first page of a category through the read models."""
    with store.snapshot() as snapshot:
        category = categories.by_slug(snapshot, "section-3")
        if category is None:
            raise SystemExit("the category section-3 does not exist")
        keys = categories.listing_keys(snapshot, category, descend=True)
        for key in page_of(snapshot, keys, PageRequest(20)).entries:
            article_queries.by_seq(snapshot, key.post)
        categories.count_articles(snapshot, category, descend=True)


async def ask(engine: Executor, store: Store, query: str) -> None:
    """Execute a query. Raises `SystemExit` if the response contains errors."""
    response = await engine.execute_document(store, query)
    if "errors" in response.body:
        raise SystemExit(str(response.body["errors"]))


async def compare(
    name: str, small: Store, large: Store, rounds: int, read: Callable[[Store], object]
) -> bool:
    """Read both stores alternately, print the medians, and return whether the target is met."""
    times: dict[int, list[float]] = {0: [], 1: []}
    for number in range(rounds + 20):
        for turn, store in enumerate((small, large) if number % 2 else (large, small)):
            size = turn if number % 2 else 1 - turn
            started = time.perf_counter()
            result = read(store)
            if asyncio.iscoroutine(result):
                await result
            if number >= 20:
                times[size].append(time.perf_counter() - started)
    before, after = (statistics.median(times[size]) * 1e6 for size in (0, 1))
    met = after / before <= GREATEST_RATIO
    verdict = "" if met else f"   target MISSED: at most {GREATEST_RATIO}"
    print(f"  {name:<28} {before:9.0f} us  {after:9.0f} us   ratio {after / before:.2f}{verdict}")
    return met


async def measure(few: int, many: int, rounds: int) -> bool:
    """Fill both stores, compare them, and return whether all targets are met."""
    engine = Executor(graphql_schema())
    async with AsyncExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".bench-", dir=CHECKOUT)))
        small = await stack.enter_async_context(open_store(place / "small"))
        large = await stack.enter_async_context(open_store(place / "large"))
        print("filling")
        await fill(small, few)
        await fill(large, many)
        print(f"median of {rounds} alternating reads: {few:,} posts, {many:,} posts")
        met = [
            await compare("recentPosts over GraphQL", small, large, rounds, lambda s: ask(engine, s, RECENT)),
            await compare(
                "category page over GraphQL", small, large, rounds, lambda s: ask(engine, s, CATEGORY)
            ),
            await compare("recentPosts, read model", small, large, rounds, read_recent),
            await compare("category page, read model", small, large, rounds, read_category),
        ]
        return all(met)


def main() -> None:
    """Measure, and exit with 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--few", type=int, default=1_000)
    parser.add_argument("--many", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=300)
    options = parser.parse_args()
    sys.exit(0 if uvloop.run(measure(options.few, options.many, options.rounds)) else 1)


if __name__ == "__main__":
    main()
