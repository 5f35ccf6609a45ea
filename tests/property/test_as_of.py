"""As of any position: what a store answers that was given no event beyond it, and what plain Python makes of them.

A failure names the seed; `LEDGERPRESS_SEED=7 scripts/test tests/property/test_as_of.py` takes another.
"""

import asyncio
import os
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final, TypeVar

from strawberry import Schema

from ledgerpress.adapters.sqlite import log_rows
from ledgerpress.adapters.sqlite.replica import write_replica
from ledgerpress.compose import LOG_FILE, Store, open_store
from ledgerpress.domain.catalogue import EVENT_TYPES
from ledgerpress.domain.posts import PostStatus
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.graphql.scalars import iso_time
from ledgerpress.graphql.schema import execute, make_schema
from ledgerpress.readmodels.listings import ListingKey
from tests.newsroom import Newsroom, Post
from tests.property.busy_year import BusyYear, StandingClock
from tests.property.expected_answers import QUESTIONS, Asked, Json, Then, VersionedNewsroom

T = TypeVar("T")

SEED: Final = int(os.environ.get("LEDGERPRESS_SEED", "1"))
EVENTS: Final = 20_000
POSTS: Final = 2_000
POSITIONS: Final = 500
NOT_RECORDED: Final = {"actor.renamed", "payload.withdrawn", "projection.skipped"}
"""What no answer as of a moment tells of, and what takes its place in all answers at once."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A position, and a time at which it was the last one where a time is asked for instead."""

    position: int
    time: int | None

    @property
    def as_of(self) -> Json:
        return {"position": self.position} if self.time is None else {"time": iso_time(self.time)}


async def test_any_answer_as_of_a_position_is_that_of_a_store_and_of_a_newsroom_that_know_no_more(
    tmp_path: Path,
) -> None:
    print("LEDGERPRESS_SEED =", SEED)  # noqa: T201 - a failure should say how to repeat it
    chance = Random(SEED)
    year = BusyYear(SEED, posts=POSTS, events=EVENTS)
    await year.pass_by()
    known, history, events = year.desk.room, year.desk.history, year.desk.log.events
    assert len(events) >= EVENTS
    assert len(known.posts) >= POSTS
    recorded = Counter(one.header.type for one in history)
    assert {name for name, _, _ in EVENT_TYPES} - recorded.keys() == NOT_RECORDED

    clock = StandingClock(known.times[-1])
    async with (
        store_of(tmp_path / "whole", events, StandingClock(known.times[-1])) as whole,
        store_of(tmp_path / "part", events[:1], clock) as part,
    ):
        with copying(tmp_path / "whole", tmp_path / "part") as logs:
            seen = await compare(chance, year, whole, part, logs, clock)
    print(f"{len(events):,} events, {len(known.posts):,} posts, {POSITIONS} positions:", dict(seen))  # noqa: T201
    assert_much_was_seen(seen)


async def compare(
    chance: Random,
    year: BusyYear,
    whole: Store,
    part: Store,
    logs: sqlite3.Connection,
    clock: StandingClock,
) -> Counter[str]:
    """Ask `whole` as of each moment, and `part`, whose clock is `clock`, when it has been given that much."""
    known, history = year.desk.room, year.desk.history
    room, chooser = VersionedNewsroom(), Chooser(chance, known)
    schema, seen = make_schema(), Counter[str]()
    for moment in moments(chance, known.times):
        for one in history[len(room.times) : moment.position]:
            room.apply(one)
        clock.time = room.times[-1] if moment.time is None else moment.time
        await give(part, logs, moment.position)
        asked = chooser.choose(room)

        expected = Then(room, clock.time).answers(asked)
        as_of = await answers(schema, whole, {**asked.variables(), "at": moment.as_of})
        today = await answers(schema, part, asked.variables())
        assert as_of.keys() == today.keys() == expected.keys()
        for name in expected:
            about = f"{name} at {moment}, seed {SEED}: {asked}"
            assert today[name] == expected[name], about
            assert as_of[name] == expected[name], about
        take_note(expected, seen)
    return seen


@asynccontextmanager
async def store_of(data: Path, events: Sequence[StoredEvent], clock: StandingClock) -> AsyncIterator[Store]:
    """Open a store that has been given `events`."""
    await asyncio.to_thread(data.mkdir)
    await write_replica(data / LOG_FILE, events[0].header.publication, [events])
    async with open_store(data, create=False, clock=clock, batch_size=5_000) as store:
        yield store


@contextmanager
def copying(source: Path, to: Path) -> Iterator[sqlite3.Connection]:
    """Open one log to write to, and another, as `source`, to copy from."""
    with closing(sqlite3.connect(to / LOG_FILE, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute("ATTACH ? AS source", (str(source / LOG_FILE),))
        yield db


async def give(store: Store, logs: sqlite3.Connection, position: int) -> None:
    """Copy the events up to `position` forward, as they are, and let the views of `store` follow."""
    logs.execute(
        f"INSERT INTO main.event ({log_rows.COLUMNS}) SELECT {log_rows.COLUMNS} FROM source.event "
        "WHERE position > ? AND position <= ? ORDER BY position",
        (await store.log.head(), position),
    )
    await store.runner.catch_up()
    assert {point.position for point in store.checkpoints.values()} == {position}


async def answers(schema: Schema, store: Store, variables: Json) -> Json:
    answer = await execute(schema, store, QUESTIONS, variables=variables)
    assert "errors" not in answer.body, answer.body["errors"]
    data: Json = answer.body["data"]
    return data


def moments(chance: Random, times: Sequence[int]) -> list[Moment]:
    """Return positions in their order; every other one that was ever the last for a while is asked for by time."""
    found = []
    for position in sorted(chance.sample(range(1, len(times) + 1), POSITIONS)):
        lasted = range(times[position - 1], times[position] if position < len(times) else times[-1] + 1)
        by_time = len(lasted) > 0 and chance.random() < 0.5
        found.append(Moment(position, chance.choice(lasted) if by_time else None))
    return found


class Chooser:
    """Chooses whom and what to ask about: mostly what is there at the time, sometimes what only comes later."""

    def __init__(self, chance: Random, known: Newsroom) -> None:
        self._chance = chance
        self._known = known
        self._posts = list(known.posts.values())
        self._places = places(known.articles())

    def choose(self, room: Newsroom) -> Asked:
        chance, known, pick = self._chance, self._known, self._pick
        articles, existing = room.articles(), room.existing_categories()
        category = pick([one.id for one in existing], list(known.categories))
        post = pick(list(room.posts.values()), self._posts)
        slugs = [slug for one in room.posts.values() for slug in one.public_slugs]
        inside = [one for one in articles if category in one.categories]
        recent = articles[:12] if chance.random() < 0.5 else articles
        return Asked(
            readers=chance.random() < 0.5,
            article=pick(articles, self._posts).id,
            slug=pick(slugs, [one.slug for one in self._posts]),
            category=category,
            category_slug=pick(list(room.category_slugs), list(known.category_slugs)),
            author=pick(list(room.authors), list(known.authors)),
            post=post.id,
            post_slug=pick(list(room.post_slugs), list(known.post_slugs)),
            status=chance.choice((None, *PostStatus)),
            place=pick(places(recent), self._places),
            within=pick(places(inside), self._places),
            made=pick([one.seq for one in existing], [one.seq for one in known.categories.values()]),
            draft=ListingKey(post.created_at, post.seq),
        )

    def _pick(self, there: Sequence[T], ever: Sequence[T]) -> T:
        return self._chance.choice(there if there and self._chance.random() < 0.85 else ever)


def places(articles: Sequence[Post]) -> list[ListingKey]:
    return [ListingKey(one.article.published_at, one.seq) for one in articles if one.article]


def take_note(answer: Json, seen: Counter[str]) -> None:
    """Count what was found, what was not, pages with more on either side, and what makes a case of its own."""
    for name, value in answer.items():
        seen["answers"] += 1
        seen[f"{name} {'found' if value else 'missing'}"] += 1
        if value and "edges" in value:
            seen[f"{name}: {'more' if value['pageInfo']['hasNextPage'] else 'no more'}"] += 1
            seen[f"{name}: entries"] += len(value["edges"])
    article, category = answer["article"], answer["category"]
    if article:
        seen["former slugs"] += bool(article["previousSlugs"])
        seen["corrections"] += bool(article["corrections"])
    if category:
        seen["ancestors"] += bool(category["ancestors"])
        seen["children"] += bool(category["children"])
        seen["within more than own"] += category["articleCount"] > category["own"]["totalCount"]


def assert_much_was_seen(seen: Counter[str]) -> None:
    objects = ("article", "articleBySlug", "category", "categoryBySlug", "author", "post", "postBySlug")
    pages = ("recentBeyond", "recentBack", "oldest", "inCategory", "categories", "postsBeyond", "postsBack")
    kinds = (
        *(f"{name} found" for name in objects),
        *(f"{name} missing" for name in objects),
        *(f"{name}: more" for name in pages),
        *(f"{name}: no more" for name in pages if not name.endswith("Back")),
        *("former slugs", "corrections", "ancestors", "children", "within more than own"),
    )
    assert {kind: seen[kind] for kind in kinds if not seen[kind]} == {}
