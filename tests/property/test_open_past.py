"""Where the past is open: every answer is what plain Python makes of it, without the articles that are not public today.

Today is one of several positions of a busy year, and readers ask about moments before. A failure names the seed;
`LEDGERPRESS_TEST_SEED=7 scripts/test tests/property/test_open_past.py` takes another.
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
from tests.property.argument_choice import Chooser, Moment, moments
from tests.property.expected_responses import Asked, Json, Then, VersionedNewsroom
from tests.property.long_scenario import BusyYear, StandingClock
from tests.property.stores_with_history import answers, store_of

SEED: Final = int(os.environ.get("LEDGERPRESS_TEST_SEED", "1"))
YEARS: Final = 3
EVENTS: Final = 1_800
POSTS: Final = 160
STOPS: Final = 3
MOMENTS: Final = 16
READER: Final[dict[str, Any]] = {"identity": ANONYMOUS, "open_past": True}

WHOLE_TREE: Final = """
query ($at: AsOf) {
  articles(first: 100, asOf: $at) { ...Every }
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


async def test_the_open_past_is_the_past_without_the_articles_that_are_not_public_today(
    tmp_path: Path,
) -> None:
    print("LEDGERPRESS_TEST_SEED =", SEED)  # noqa: T201 - a failure should say how to repeat it
    seen = Counter[str]()
    for number in range(YEARS):
        await spend(tmp_path / str(number), SEED * 1_000 + number, seen)
    print(dict(seen))  # noqa: T201
    assert_much_was_seen(seen)


async def spend(data: Path, seed: int, seen: Counter[str]) -> None:
    """Let the year of `seed` pass by; with today at one of several positions, ask about what came before."""
    chance, engine = Random(seed), Executor(graphql_schema())
    year = BusyYear(seed, posts=POSTS, events=EVENTS)
    await year.pass_by()
    history, events = year.desk.history, year.desk.log.events
    async with store_of(data, events, StandingClock(year.desk.room.times[-1])) as store:
        for stop in range(1, STOPS + 1):
            head = len(events) * stop // STOPS
            today = Newsroom(history[:head])
            asker = Asker(engine, StoppedAt(head, store), chance, today, seen)
            room = VersionedNewsroom()
            for moment in moments(chance, today.times, MOMENTS):
                catch_up(room, history[: moment.position])
                await asker.ask(room, moment, f"{moment} of {head}, seed {seed}")


class StoppedAt:
    """A store in which one projection has come no further than `position`, whatever the others have applied since."""

    def __init__(self, position: int, store: Store) -> None:
        self.commands, self.log, self.clock = store.commands, store.log, store.clock
        self.randomness, self.log_health = store.randomness, store.log_health
        self.checkpoints, self.views = store.checkpoints, store.views
        self.declared = store.declared
        self._store = store
        self.position = position

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        with self._store.snapshot() as snapshot:
            yield replace(snapshot, position=self.position)


def catch_up(room: Newsroom, history: Sequence[Recorded[Event]]) -> None:
    for one in history[len(room.times) :]:
        room.apply(one)


class Asker:
    """Asks a store what readers and staff may see of the past, and compares."""

    def __init__(
        self, engine: Executor, store: StoppedAt, chance: Random, today: Newsroom, seen: Counter[str]
    ) -> None:
        self._engine = engine
        self._store = store
        self._chance = chance
        self._public = {post.id for post in today.articles()}
        self._chooser = Chooser(chance, today)
        self._seen = seen

    async def ask(self, room: VersionedNewsroom, moment: Moment, about: str) -> None:
        """Compare the answers as of `moment`, up to which `room` has heard."""
        hidden = {post.id for post in room.articles() if post.id not in self._public}
        now = room.times[-1] if moment.time is None else moment.time
        asked = self._chooser.choose(room, readers=True)
        variables = {**asked.variables(), "at": moment.as_of}
        expected, everything = Then(room, now, hidden).answers(asked), Then(room, now).answers(asked)

        found = await answers(self._engine, self._store, variables, **READER)
        assert found.keys() == expected.keys()
        for name, answer in expected.items():
            assert found[name] == answer, f"{name} at {about}: {asked}"
        to_staff = await answers(
            self._engine, self._store, variables, identity=LOCAL_OPERATOR, open_past=True
        )
        assert to_staff == everything, f"to staff at {about}: {asked}"

        tree = await self._read(WHOLE_TREE, at=moment.as_of)
        assert tree == whole_tree(room, hidden), about
        await self._turn_pages(room, hidden, moment, asked, about)
        self._take_note(expected, everything, room, hidden)

    async def _turn_pages(
        self, room: Newsroom, hidden: set[str], moment: Moment, asked: Asked, about: str
    ) -> None:
        """Read a list page after page, from either end."""
        category = room.category(asked.category)
        within = self._chance.random() < 0.4
        listed = (room.articles_in(category, descend=True) if category else []) if within else room.articles()
        wanted = [article_id(post) for post in listed if post.id not in hidden]
        which = {"category": global_ids.encode("Category", asked.category)} if within else None
        size = self._chance.choice((1, 2, 5, 9, 40))
        for count, cursor, edge, ahead, behind in (
            ("first", "after", "endCursor", "hasNextPage", "hasPreviousPage"),
            ("last", "before", "startCursor", "hasPreviousPage", "hasNextPage"),
        ):
            found: list[str] = []
            more, place = True, None
            while more:
                turned = await self._read(
                    ONE_PAGE, at=moment.as_of, filter=which, **{count: size, cursor: place}
                )
                page = turned["articles"]
                nodes = [node["id"] for node in page["nodes"]]
                assert page["totalCount"] == len(wanted), about
                assert page["pageInfo"][behind] == bool(found), about
                assert len(nodes) == min(size, len(wanted) - len(found)), about
                found = found + nodes if count == "first" else nodes + found
                more, place = page["pageInfo"][ahead], page["pageInfo"][edge]
            assert found == wanted, about

    async def _read(self, questions: str, **variables: Any) -> Json:
        return await answers(self._engine, self._store, variables, questions=questions, **READER)

    def _take_note(self, expected: Json, everything: Json, room: Newsroom, hidden: set[str]) -> None:
        """Count what was hidden, and in how many ways."""
        seen = self._seen
        seen["moments"] += 1
        seen["hidden articles"] += len(hidden)
        seen["shown articles"] += len(room.articles()) - len(hidden)
        for name, answer in expected.items():
            if everything[name] != answer:
                seen[f"{name} {'less' if answer else 'hidden'}"] += 1
        for post in room.articles():
            if post.id in hidden:
                above = [{one.id for one in room.ancestors(own)} for own in room.categories_of(post)]
                seen["hidden twice below one category"] += any(
                    one & other for number, one in enumerate(above) for other in above[:number]
                )
                seen["hidden in a category taken over"] += any(
                    room.categories[one].merged_into is not None for one in post.categories
                )


def whole_tree(room: Newsroom, hidden: set[str]) -> Json:
    """Return what should be answered to `WHOLE_TREE`."""

    def every(posts: Sequence[Post]) -> Json:
        shown = [{"id": article_id(post)} for post in posts if post.id not in hidden]
        return {"totalCount": len(shown), "nodes": shown[:100]}

    existing = room.existing_categories()
    return {
        "articles": every(room.articles()),
        "authors": {
            "nodes": [
                {"id": global_ids.encode("Author", one), "articles": every(room.articles_by(one))}
                for one in room.authors
            ]
        },
        "categories": {
            "nodes": [
                {
                    "id": global_ids.encode("Category", one.id),
                    "articleCount": within["totalCount"],
                    "articles": within,
                    "own": every(room.articles_in(one, descend=False)),
                }
                for one in existing[:100]
                if (within := every(room.articles_in(one, descend=True)))
            ]
        },
    }


def article_id(post: Post) -> str:
    return global_ids.encode("Article", post.id)


def assert_much_was_seen(seen: Counter[str]) -> None:
    lists = ("recent", "recentBeyond", "recentBack", "oldest", "category", "categoryBySlug", "inCategory")
    kinds = (
        "hidden articles",
        "shown articles",
        "article hidden",
        "articleBySlug hidden",
        "author less",
        "categories less",
        "hidden twice below one category",
        "hidden in a category taken over",
        *(f"{name} less" for name in lists),
    )
    assert {kind: seen[kind] for kind in kinds if not seen[kind]} == {}
