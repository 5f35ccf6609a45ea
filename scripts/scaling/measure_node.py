"""Measure a node on a log of one size: start, catch-up, and reads with and without the operating system's cache."""

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
"""Number of events that the node follows one by one."""
ARTICLES: Final = 60


def follow(data: Path) -> dict[str, float]:
    """Let the views catch up as a server does, the last events one by one; return processor seconds per event."""
    return uvloop.run(_follow(data))


async def _follow(data: Path) -> dict[str, float]:
    log = await SqliteEventLog.open(data / LOG_FILE, create_as=None)
    path = ViewsDirectory(data, all_projectors()).current
    if path is None:
        raise SystemExit("there are no views to measure")
    views = await ViewsFile.open(path, all_projectors(), create=False)
    head = await log.head()
    seconds = {}
    for name, size, until in (("batch", 500, head - SINGLE), ("single", 1, head)):
        runner = ProjectionRunner(log, event_codec(), views, all_projectors(), batch_size=size)
        await runner.start()
        before, started = _position(runner), time.process_time()
        while _position(runner) + size <= until:
            await runner.step()
        seconds[f"follow_{name}"] = (time.process_time() - started) / (_position(runner) - before)
        await runner.release()
    await views.aclose()
    await log.aclose()
    return seconds


def _position(runner: ProjectionRunner) -> int:
    return min(point.position for point in runner.checkpoints.values())


def read(data: Path) -> dict[str, float]:
    """Open the store as a server does, read the front page and random articles, and return seconds and bytes."""
    return uvloop.run(_read(data))


async def _read(data: Path) -> dict[str, float]:
    started = time.perf_counter()
    async with open_store(data, create=False) as store:
        measured: dict[str, float] = {"start": time.perf_counter() - started}
        engine = Executor(graphql_schema())
        for _ in range(30):
            await _ask(engine, store, FRONT_PAGE)
        measured["front_page"] = statistics.median(
            [(await _ask(engine, store, FRONT_PAGE))[0] for _ in range(100)]
        )
        slugs = _published(store.views.path)
        for slug in slugs:
            await _ask(engine, store, ARTICLE, slug=slug)
        warm = [(await _ask(engine, store, ARTICLE, slug=slug))[0] for slug in slugs]
        cold, cold_bytes = [], 0
        for slug in _published(store.views.path, seed=2):
            drop_cache(store.views.path)
            start = read_bytes()
            cold.append((await _ask(engine, store, ARTICLE, slug=slug))[1])
            cold_bytes += read_bytes() - start
        measured["article_warm"], measured["article_cold"] = statistics.median(warm), statistics.median(cold)
        measured["article_cold_read_bytes"] = cold_bytes / len(cold)
        measured["resident_bytes"] = resident()
        return measured


def _published(views: Path, seed: int = 1) -> list[str]:
    """Return the slugs of random articles."""
    with closing(connect(f"{views.as_uri()}?mode=ro", uri=True)) as db:
        slugs = [slug for (slug,) in db.execute("SELECT slug FROM post_slug WHERE public_from IS NOT NULL")]
    return random.Random(seed).sample(slugs, min(ARTICLES, len(slugs)))  # noqa: S311  # reproducible


async def _ask(engine: Executor, store: Store, query: str, **variables: Any) -> tuple[float, float]:
    """Execute a query, and return the seconds of processor time and of wall-clock time."""
    started, processor = time.perf_counter(), time.process_time()
    response = await engine.execute_document(store, query, variables=variables, identity=ANONYMOUS)
    duration = time.process_time() - processor, time.perf_counter() - started
    if "errors" in response.body:
        raise SystemExit(str(response.body["errors"])[:500])
    return duration
