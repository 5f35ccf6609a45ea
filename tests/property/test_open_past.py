"""Responses about the open past: equal to a model in plain Python, without the articles that are not public today.

Today is one of several positions of a long scenario, and readers query earlier moments. A failure prints the seed;
`LEDGERPRESS_TEST_SEED=7 scripts/test tests/property/test_open_past.py` uses another.
"""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, Final

from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR
from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.features.registry import graphql_schema
from ledgerpress.graphql.executor import Executor
from ledgerpress.graphql.relay import global_ids
from ledgerpress.server.store import Store
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot
from tests.newsroom_model import Newsroom, Post
from tests.past_ids import current_id, positions_in, with_current_ids
from tests.property.argument_choice import Chooser, Moment, moments
from tests.property.expected_responses import Arguments, ExpectedResponses, Json, VersionedNewsroom
from tests.property.long_scenario import LongScenario, StandingClock
from tests.property.stores_with_history import query_data, store_of

SEED: Final = int(os.environ.get("LEDGERPRESS_TEST_SEED", "1"))
SCENARIOS: Final = 3
EVENTS: Final = 1_800
POSTS: Final = 160
STOPS: Final = 3
MOMENTS: Final = 16
READER: Final[dict[str, Any]] = {"identity": ANONYMOUS, "open_past": True}

WHOLE_TREE: Final = """
query ($at: AsOf) {
  articles(first: 100, asOf: $at) { ...Every }
  corrected: articles(first: 100, asOf: $at) { nodes { corrections { id } } }
  authors(first: 100, asOf: $at) { nodes { id articles(first: 100) { ...Every } } }
  categories(first: 100, asOf: $at) {
    nodes {
      id articleCount articles(first: 100) { ...Every }
      own: articles(first: 100, includeDescendants: false) { ...Every }
    }
  }
}
fragment Every on ArticleConnection { totalCount nodes { id } }
"""
ONE_PAGE: Final = """
query ($at: AsOf, $filter: ArticleFilter, $first: Int, $after: String, $last: Int, $before: String) {
  articles(asOf: $at, filter: $filter, first: $first, after: $after, last: $last, before: $before) {
    totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } nodes { id }
  }
}
"""


async def test_the_open_past_has_no_articles_that_are_not_public_today(tmp_path: Path) -> None:
    print("LEDGERPRESS_TEST_SEED =", SEED)  # noqa: T201 - a failure must show how to repeat it
    counts = Counter[str]()
    for number in range(SCENARIOS):
        await compare(tmp_path / str(number), SEED * 1_000 + number, counts)
    print(dict(counts))  # noqa: T201
    assert_all_cases_occurred(counts)


async def compare(data: Path, seed: int, counts: Counter[str]) -> None:
    """Run the scenario of `seed`, and compare queries about the past with today at several positions."""
    chance, engine = Random(seed), Executor(graphql_schema())
    scenario = LongScenario(seed, posts=POSTS, events=EVENTS)
    await scenario.run()
    history, events = scenario.commands.history, scenario.commands.log.events
    async with store_of(data, events, StandingClock(scenario.commands.room.times[-1])) as store:
        for stop in range(1, STOPS + 1):
            head = len(events) * stop // STOPS
            today = Newsroom(history[:head])
            comparison = PastComparison(engine, StoppedAt(head, store), chance, today, counts)
            room = VersionedNewsroom()
            for moment in moments(chance, today.times, MOMENTS):
                catch_up(room, history[: moment.position])
                await comparison.compare(room, moment, f"{moment} of {head}, seed {seed}")


class StoppedAt:
    """A store in which one projection has its checkpoint at `position`, and others are ahead."""

    def __init__(self, position: int, store: Store) -> None:
        self.commands, self.log, self.clock = store.commands, store.log, store.clock
        self.randomness, self.log_health = store.randomness, store.log_health
        self.checkpoints, self.views = store.checkpoints, store.views
        self.declared, self.computed = store.declared, store.computed
        self.public_history = store.public_history
        self._store = store
        self.position = position

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        with self._store.snapshot() as snapshot:
            yield replace(snapshot, position=self.position)

    def last_withdrawal(self, snapshot: Snapshot) -> int:
        return self._store.last_withdrawal(snapshot)


def catch_up(room: Newsroom, history: Sequence[Recorded[Event]]) -> None:
    for recorded in history[len(room.times) :]:
        room.apply(recorded)


class PastComparison:
    """Compares responses about the past to readers and to staff with the model."""

    def __init__(
        self, engine: Executor, store: StoppedAt, chance: Random, today: Newsroom, counts: Counter[str]
    ) -> None:
        self._engine = engine
        self._store = store
        self._chance = chance
        self._public = {post.id for post in today.articles()}
        self._retracted = {
            correction.id
            for post in today.posts.values()
            for correction in post.corrections
            if correction.retracted_at is not None
        }
        self._chooser = Chooser(chance, today)
        self._seen = counts

    async def compare(self, room: VersionedNewsroom, moment: Moment, details: str) -> None:
        """Compare the responses as of `moment` with `room`, which has applied all events up to it."""
        hidden = {post.id for post in room.articles() if post.id not in self._public}
        now = room.times[-1] if moment.time is None else moment.time
        arguments = self._chooser.choose(room, readers=True)
        variables = {**arguments.variables(), "at": moment.as_of}
        expected, everything = (
            ExpectedResponses(room, now, hidden | self._retracted, to_public=True).data(arguments),
            ExpectedResponses(room, now).data(arguments),
        )

        data = await query_data(self._engine, self._store, variables, **READER)
        assert data.keys() == expected.keys()
        for name, value in expected.items():
            assert with_current_ids(data[name]) == value, f"{name} at {details}: {arguments}"
            assert positions_in(data[name]) <= {moment.position}, f"{name} at {details}: {arguments}"
        staff_data = await query_data(
            self._engine, self._store, variables, identity=LOCAL_OPERATOR, open_past=True
        )
        assert with_current_ids(staff_data) == everything, f"to staff at {details}: {arguments}"

        tree = await self._read(WHOLE_TREE, at=moment.as_of)
        assert with_current_ids(tree) == whole_tree(room, hidden | self._retracted), details
        await self._compare_pages(room, hidden, moment, arguments, details)
        self._count_cases(expected, everything, room, hidden)

    async def _compare_pages(
        self, room: Newsroom, hidden: set[str], moment: Moment, arguments: Arguments, details: str
    ) -> None:
        """Read a list page by page, from either end."""
        category = room.category(arguments.category)
        within = self._chance.random() < 0.4
        listed = (room.articles_in(category, descend=True) if category else []) if within else room.articles()
        expected = [article_id(post) for post in listed if post.id not in hidden]
        filter_ = {"category": global_ids.encode("Category", arguments.category)} if within else None
        size = self._chance.choice((1, 2, 5, 9, 40))
        for count, cursor, edge, ahead, behind in (
            ("first", "after", "endCursor", "hasNextPage", "hasPreviousPage"),
            ("last", "before", "startCursor", "hasPreviousPage", "hasNextPage"),
        ):
            ids: list[str] = []
            more, place = True, None
            while more:
                response = await self._read(
                    ONE_PAGE, at=moment.as_of, filter=filter_, **{count: size, cursor: place}
                )
                page = response["articles"]
                nodes = [current_id(node["id"]) for node in page["nodes"]]
                assert page["totalCount"] == len(expected), details
                assert page["pageInfo"][behind] == bool(ids), details
                assert len(nodes) == min(size, len(expected) - len(ids)), details
                ids = ids + nodes if count == "first" else nodes + ids
                more, place = page["pageInfo"][ahead], page["pageInfo"][edge]
            assert ids == expected, details

    async def _read(self, document: str, **variables: Any) -> Json:
        return await query_data(self._engine, self._store, variables, document=document, **READER)

    def _count_cases(self, expected: Json, everything: Json, room: Newsroom, hidden: set[str]) -> None:
        """Count the hidden articles and the cases in which they were hidden."""
        counts = self._seen
        counts["moments"] += 1
        counts["hidden articles"] += len(hidden)
        counts["shown articles"] += len(room.articles()) - len(hidden)
        for name, value in expected.items():
            if everything[name] != value:
                counts[f"{name} {'less' if value else 'hidden'}"] += 1
        for post in room.articles():
            counts["hidden corrections"] += sum(
                correction.retracted_at is None and correction.id in self._retracted
                for correction in post.corrections
            )
            if post.id in hidden:
                above = [
                    {ancestor.id for ancestor in room.ancestors(own)} for own in room.categories_of(post)
                ]
                counts["hidden twice below one category"] += any(
                    ids & other for number, ids in enumerate(above) for other in above[:number]
                )
                counts["hidden in a category taken over"] += any(
                    room.categories[category_id].merged_into is not None for category_id in post.categories
                )


def whole_tree(room: Newsroom, hidden: set[str]) -> Json:
    """Return the expected data of the response to `WHOLE_TREE`. `hidden` are ids of posts and of corrections."""

    def corrections(post: Post) -> list[Json]:
        return [
            {"id": global_ids.encode("Correction", correction.id)}
            for correction in post.corrections
            if correction.retracted_at is None and correction.id not in hidden
        ]

    def every(posts: Sequence[Post]) -> Json:
        shown = [{"id": article_id(post)} for post in posts if post.id not in hidden]
        return {"totalCount": len(shown), "nodes": shown[:100]}

    existing = room.existing_categories()
    return {
        "articles": every(room.articles()),
        "corrected": {
            "nodes": [
                {"corrections": corrections(post)} for post in room.articles() if post.id not in hidden
            ][:100]
        },
        "authors": {
            "nodes": [
                {"id": global_ids.encode("Author", author_id), "articles": every(room.articles_by(author_id))}
                for author_id in room.authors
                if any(post.id not in hidden for post in room.articles_by(author_id))
            ]
        },
        "categories": {
            "nodes": [
                {
                    "id": global_ids.encode("Category", category.id),
                    "articleCount": within["totalCount"],
                    "articles": within,
                    "own": every(room.articles_in(category, descend=False)),
                }
                for category in existing[:100]
                if (within := every(room.articles_in(category, descend=True)))
            ]
        },
    }


def article_id(post: Post) -> str:
    return global_ids.encode("Article", post.id)


def assert_all_cases_occurred(counts: Counter[str]) -> None:
    lists = ("recent", "recentBeyond", "recentBack", "oldest", "category", "categoryBySlug", "inCategory")
    kinds = (
        "hidden articles",
        "hidden corrections",
        "shown articles",
        "article hidden",
        "articleBySlug hidden",
        "author less",
        "categories less",
        "hidden twice below one category",
        "hidden in a category taken over",
        *(f"{name} less" for name in lists),
    )
    assert {kind: counts[kind] for kind in kinds if not counts[kind]} == {}
