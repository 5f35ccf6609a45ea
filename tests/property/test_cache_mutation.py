"""The property test of cached responses can fail: if events do not invalidate one topic, it finds an old response."""

import logging
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final

import pytest

from ledgerpress.features.registry import graphql_schema
from ledgerpress.graphql.cached_executor import CachedExecutor
from ledgerpress.graphql.executor import Executor
from ledgerpress.graphql.response_cache import Invalidation
from ledgerpress.graphql.results import encoded
from ledgerpress.server.store import Store
from ledgerpress.views.cache_invalidation import invalidated_topics
from ledgerpress.views.feature_declarations import DeclaredViews
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot, Topic
from tests.cached_documents import execute_cached
from tests.fixed_sources import StandingClock
from tests.property.day_scenario import WHOLE_DAY
from tests.property.narrow_queries import DOCUMENTS, Query, QueryGenerator
from tests.property.store_session import Restart, Session

QUERIES: Final = 125
DROPPED: Final[dict[str, Callable[[Topic], bool]]] = {
    **{
        kind: lambda topic, kind=kind: topic[0] == kind  # type: ignore[misc]
        for kind in (
            *("public slug", "post slug", "categories of", "listing", "counted in", "author", "actor"),
            *("taxonomy", "authors", "public authors", "site"),
        )
    },
    "article by place": lambda topic: topic[0] == "article" and isinstance(topic[1], int),
    "article by id": lambda topic: topic[0] == "article" and isinstance(topic[1], str),
    "post by place": lambda topic: topic[0] == "post" and isinstance(topic[1], int),
    "post by id": lambda topic: topic[0] == "post" and isinstance(topic[1], str),
}


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Hide the log lines about the faults of the whole day."""
    caplog.set_level(logging.CRITICAL, "ledgerpress")


def without_topics(is_dropped: Callable[[Topic], bool]) -> Invalidation:
    """Return an invalidation that leaves out some topics."""

    def invalidation(snapshot: Snapshot, after: int, declared: DeclaredViews) -> frozenset[Topic] | None:
        topics = invalidated_topics(snapshot, after, declared)
        return None if topics is None else frozenset(topic for topic in topics if not is_dropped(topic))

    return invalidation


async def test_each_topic_that_is_not_invalidated_leads_to_an_old_response(tmp_path: Path) -> None:
    engine = Executor(graphql_schema())
    sound = CachedExecutor(engine)
    flawed = {
        name: CachedExecutor(engine, invalidation=without_topics(is_dropped))
        for name, is_dropped in DROPPED.items()
    }
    detected: dict[str, Query] = {}
    async with Session(tmp_path / "data", clock=StandingClock()) as session:
        await session.begin()
        query_generator = QueryGenerator(Random(1), session.room, session.history)
        queries: list[Query] = []
        for action in WHOLE_DAY:
            if isinstance(action, Restart):
                continue
            # Few changes are of slugs.
            names = [*DOCUMENTS, *DOCUMENTS, "post by slug", "post by slug"]
            queries += [
                Query(name, "operator", query_generator.variables(name, past=False)) for name in names
            ]
            queries.append(Query("names of authors", "reader", {}))
            queries = list({repr(query): query for query in queries}.values())[-QUERIES:]
            for query in queries:
                for executor in (sound, *flawed.values()):
                    await execute_cached(executor, session.store, **query.arguments)
            await session.do(action)
            for query in queries:
                await _compare(session.store, engine, sound, flawed, query, detected)
    assert {name: bool(detected.get(name)) for name in DROPPED} == dict.fromkeys(DROPPED, True)


async def _compare(
    store: Store,
    engine: Executor,
    sound: CachedExecutor,
    flawed: dict[str, CachedExecutor],
    query: Query,
    detected: dict[str, Query],
) -> None:
    fresh = encoded(await engine.execute_document(store, **query.arguments)).body
    assert (await execute_cached(sound, store, **query.arguments)).body == fresh
    for name in [*flawed]:
        if (await execute_cached(flawed[name], store, **query.arguments)).body != fresh:
            detected[name] = query
            del flawed[name]
