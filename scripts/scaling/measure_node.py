"""Measures a node on a log of one size: starting, catching up, reading with the operating system's cache and without."""

import random
import statistics
import time
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from typing import Any, Final

import uvloop

from ledgerpress.adapters.sqlite_log.event_log import SqliteEventLog
from ledgerpress.commands.client_identity import ANONYMOUS
from ledgerpress.features.registry import all_projectors, event_codec, graphql_schema
from ledgerpress.graphql.executor import Executor
from ledgerpress.server.data_directory import LOG_FILE
from ledgerpress.server.store import Store, open_store
from ledgerpress.views.files.views_directory import ViewsDirectory
from ledgerpress.views.files.views_file_connections import ViewsFile
from ledgerpress.views.projection.runner import ProjectionRunner
from scripts.benchmarks.subscribers import resident
from scripts.scaling.measure_log import drop_cache, read_bytes

FRONT_PAGE: Final = """{ articles(first: 20) { nodes { id slug title publishedAt updatedAt teaser teaserIsCut age
    authors { name } categories { id slug name } } } }"""
ARTICLE: Final = (
    "query ($slug: String!) { article(slug: $slug) { title teaser body { markdown } categories { name } } }"
)
SINGLE: Final = 300
"""Events that are followed one by one."""
ARTICLES: Final = 60


def follow(data: Path) -> dict[str, float]:
    """Bring views that are behind to the head as a server does, the last events one by one; return seconds an event."""
    return uvloop.run(_follow(data))


async def _follow(data: Path) -> dict[str, float]:
    log = await SqliteEventLog.open(data / LOG_FILE, create_as=None)
    path = ViewsDirectory(data, all_projectors()).current
    if path is None:
        raise SystemExit("there are no views")
    views = await ViewsFile.open(path, all_projectors(), create=False)
    head = await log.head()
    found = {}
    for name, size, until in (("batch", 500, head - SINGLE), ("single", 1, head)):
        runner = ProjectionRunner(log, event_codec(), views, all_projectors(), batch_size=size)
        await runner.start()
        before, started = _reached(runner), time.process_time()
        while _reached(runner) + size <= until:
            await runner.step()
        found[f"follow_{name}"] = (time.process_time() - started) / (_reached(runner) - before)
        await runner.release()
    await views.aclose()
    await log.aclose()
    return found


def _reached(runner: ProjectionRunner) -> int:
    return min(point.position for point in runner.checkpoints.values())


def read(data: Path) -> dict[str, float]:
    """Open the store as a server does, and ask for the front page and for articles at random; return seconds."""
    return uvloop.run(_read(data))


async def _read(data: Path) -> dict[str, float]:
    started = time.perf_counter()
    async with open_store(data, create=False) as store:
        found: dict[str, float] = {"start": time.perf_counter() - started}
        engine = Executor(graphql_schema())
        for _ in range(30):
            await _ask(engine, store, FRONT_PAGE)
        found["front_page"] = statistics.median(
            [(await _ask(engine, store, FRONT_PAGE))[0] for _ in range(100)]
        )
        slugs = _published(store.views.path)
        for slug in slugs:
            await _ask(engine, store, ARTICLE, slug=slug)
        warm = [(await _ask(engine, store, ARTICLE, slug=slug))[0] for slug in slugs]
        cold, before = [], 0
        for slug in _published(store.views.path, seed=2):
            drop_cache(store.views.path)
            start = read_bytes()
            cold.append((await _ask(engine, store, ARTICLE, slug=slug))[1])
            before += read_bytes() - start
        found["article_warm"], found["article_cold"] = statistics.median(warm), statistics.median(cold)
        found["article_cold_read_bytes"] = before / len(cold)
        found["resident_bytes"] = resident()
        return found


def _published(views: Path, seed: int = 1) -> list[str]:
    """Return slugs of articles, from all over the table."""
    with closing(connect(f"{views.as_uri()}?mode=ro", uri=True)) as db:
        slugs = [one for (one,) in db.execute("SELECT slug FROM post_slug WHERE public_from IS NOT NULL")]
    return random.Random(seed).sample(slugs, min(ARTICLES, len(slugs)))  # noqa: S311  # the same each time


async def _ask(engine: Executor, store: Store, query: str, **variables: Any) -> tuple[float, float]:
    """Return the seconds of processor time and by the clock."""
    started, processor = time.perf_counter(), time.process_time()
    answer = await engine.execute_document(store, query, variables=variables, identity=ANONYMOUS)
    took = time.process_time() - processor, time.perf_counter() - started
    if "errors" in answer.body:
        raise SystemExit(str(answer.body["errors"])[:500])
    return took
