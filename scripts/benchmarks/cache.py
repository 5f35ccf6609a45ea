"""The response cache: the cost of a hit, and what one event costs and invalidates.

A store is filled with posts. A list of 20 articles is requested repeatedly, then each article alone, before and after
one of them is published again. HTTP is not measured.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop

from ledgerpress.commands.client_identity import ANONYMOUS
from ledgerpress.features.posts import article_queries
from ledgerpress.features.posts.create_edit_categorize_commands import EditPost
from ledgerpress.features.posts.listings_projection import EVERY_ARTICLE
from ledgerpress.features.registry import declared_views, graphql_schema
from ledgerpress.graphql.cached_executor import CachedExecutor
from ledgerpress.graphql.executor import Executor
from ledgerpress.graphql.limits.settings import CacheSettings
from ledgerpress.graphql.relay import global_ids
from ledgerpress.server.store import Store, open_store
from ledgerpress.views.cache_invalidation import MAX_EVENTS, invalidated_topics
from ledgerpress.views.listings.queries import list_keys
from scripts.workloads.generated_posts import HOUR, START, Generator, make_categories, record

LIST = """query ($first: Int!) { articles(first: $first) { nodes {
    id slug title publishedAt updatedAt teaser teaserIsCut age categories { id slug name } } } }"""
ARTICLE = "query ($id: ID!) { article(id: $id) { title teaser body { html } categories { name } } }"


async def median(work: Callable[[], Awaitable[Any]], times: int) -> float:
    """Return the median duration of `work` in microseconds."""
    durations = []
    for _ in range(times):
        start = time.perf_counter_ns()
        await work()
        durations.append((time.perf_counter_ns() - start) / 1_000)
    return statistics.median(durations)


async def measure(store: Store) -> dict[str, float]:
    """Return the results, in microseconds and numbers of responses."""
    cached, uncached = (
        CachedExecutor(Executor(graphql_schema())),
        CachedExecutor(Executor(graphql_schema()), CacheSettings(max_bytes=0)),
    )

    async def ask(executor: CachedExecutor, query: str, **variables: Any) -> None:
        operation = await executor.executor.documents.resolve(query)
        await executor.execute(store, operation, variables=variables, identity=ANONYMOUS)

    await ask(cached, LIST, first=20)
    results = {
        "executed": await median(lambda: ask(uncached, LIST, first=20), 200),
        "hit": await median(lambda: ask(cached, LIST, first=20), 20_000),
    }
    with store.snapshot() as snapshot:
        keys = list_keys(snapshot.db, [EVERY_ARTICLE], snapshot.position, limit=400)
        shown = [article.id for key in keys if (article := article_queries.by_seq(snapshot, key.post))]
        start = time.perf_counter_ns()
        invalidated_topics(snapshot, snapshot.position - MAX_EVENTS, declared_views())
        results[f"find what {MAX_EVENTS} events invalidate"] = (time.perf_counter_ns() - start) / 1_000
        start = time.perf_counter_ns()
        for _ in range(200):
            invalidated_topics(snapshot, snapshot.position - 1, declared_views())
        results["find what one event invalidates"] = (time.perf_counter_ns() - start) / 200_000

    for post_id in shown:
        await ask(cached, ARTICLE, id=global_ids.encode("Article", post_id))
    await store.commands.handle(EditPost(post_id=shown[7], title="Again", publish=True))
    before = cached.counts.hits
    for post_id in shown:
        await ask(cached, ARTICLE, id=global_ids.encode("Article", post_id))
    results["articles requested after one was published again"] = len(shown)
    results["of these, cache hits"] = cached.counts.hits - before
    return results


async def run(posts: int) -> dict[str, float]:
    """Fill a store with `posts` posts, and measure it."""
    with tempfile.TemporaryDirectory() as folder:
        async with open_store(Path(folder) / "data") as store:
            generator = Generator(await make_categories(store))
            await record(store, (generator.post(number, START + number * HOUR) for number in range(posts)))
            await store.views.wait_for(await store.log.head(), 60)
            return await measure(store)


def main() -> None:
    """Measure, and print the results as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=5_000)
    options = parser.parse_args()
    results = uvloop.run(run(options.posts))
    print(json.dumps({name: round(value, 1) for name, value in results.items()}, indent=2))


if __name__ == "__main__":
    main()
