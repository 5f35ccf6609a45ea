"""The property test of kept answers can fail: one topic that events are not said to touch, and an old answer is given."""

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
from tests.property.narrow_queries import DOCUMENTS, Question, Questioner
from tests.property.store_session import Restart, Session

QUESTIONS: Final = 120
DROPPED: Final[dict[str, Callable[[Topic], bool]]] = {
    **{
        kind: lambda topic, kind=kind: topic[0] == kind  # type: ignore[misc]
        for kind in (
            *("public slug", "post slug", "categories of", "listing", "counted in", "author", "actor"),
            *("taxonomy", "authors", "site"),
        )
    },
    "article by place": lambda topic: topic[0] == "article" and isinstance(topic[1], int),
    "article by id": lambda topic: topic[0] == "article" and isinstance(topic[1], str),
    "post by place": lambda topic: topic[0] == "post" and isinstance(topic[1], int),
    "post by id": lambda topic: topic[0] == "post" and isinstance(topic[1], str),
}


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Let nobody tell of the faults of the whole day."""
    caplog.set_level(logging.CRITICAL, "ledgerpress")


def forgetful(is_dropped: Callable[[Topic], bool]) -> Invalidation:
    """Return what tells the topics that events touched, but for some."""

    def touching(snapshot: Snapshot, after: int, declared: DeclaredViews) -> frozenset[Topic] | None:
        found = invalidated_topics(snapshot, after, declared)
        return None if found is None else frozenset(one for one in found if not is_dropped(one))

    return touching


async def test_whichever_topic_is_dropped_an_old_answer_gives_it_away(tmp_path: Path) -> None:
    engine = Executor(graphql_schema())
    sound = CachedExecutor(engine)
    flawed = {
        name: CachedExecutor(engine, invalidation=forgetful(is_dropped))
        for name, is_dropped in DROPPED.items()
    }
    given_away: dict[str, Question] = {}
    async with Session(tmp_path / "data", clock=StandingClock()) as session:
        await session.begin()
        questioner = Questioner(Random(1), session.room, session.history)
        questions: list[Question] = []
        for action in WHOLE_DAY:
            if isinstance(action, Restart):
                continue
            names = [*DOCUMENTS] * 2
            questions += [
                Question(name, "operator", questioner.variables(name, past=False)) for name in names
            ]
            questions = list({repr(one): one for one in questions}.values())[-QUESTIONS:]
            for question in questions:
                for answers in (sound, *flawed.values()):
                    await execute_cached(answers, session.store, **question.asked)
            await session.do(action)
            for question in questions:
                await _compare(session.store, engine, sound, flawed, question, given_away)
    assert {name: bool(given_away.get(name)) for name in DROPPED} == dict.fromkeys(DROPPED, True)


async def _compare(
    store: Store,
    engine: Executor,
    sound: CachedExecutor,
    flawed: dict[str, CachedExecutor],
    question: Question,
    given_away: dict[str, Question],
) -> None:
    anew = encoded(await engine.execute_document(store, **question.asked)).body
    assert (await execute_cached(sound, store, **question.asked)).body == anew
    for name in [*flawed]:
        if (await execute_cached(flawed[name], store, **question.asked)).body != anew:
            given_away[name] = question
            del flawed[name]
