"""As of any position: what a store answers that was given no event beyond it, and what plain Python makes of them.

A failure names the seed; `LEDGERPRESS_TEST_SEED=7 scripts/test tests/property/test_as_of.py` takes another.
"""

import os
import sqlite3
from collections import Counter
from pathlib import Path
from random import Random
from typing import Final

from ledgerpress.features.registry import EVENT_TYPES, graphql_schema
from ledgerpress.graphql.executor import Executor
from ledgerpress.server.store import Store
from tests.property.argument_choice import Chooser, moments
from tests.property.expected_responses import Json, Then, VersionedNewsroom
from tests.property.long_scenario import BusyYear, StandingClock
from tests.property.stores_with_history import answers, copying, give, store_of

SEED: Final = int(os.environ.get("LEDGERPRESS_TEST_SEED", "1"))
EVENTS: Final = int(os.environ.get("LEDGERPRESS_TEST_EVENTS", "8000"))
POSTS: Final = EVENTS // 10
POSITIONS: Final = EVENTS // 40
NOT_RECORDED: Final = {
    "actor.renamed",
    "token.created",
    "token.revoked",
    "payload.withdrawn",
    "projection.skipped",
    "lease.taken",
}
"""What no answer as of a moment tells of, and what takes its place in all answers at once."""


async def test_any_answer_as_of_a_position_is_that_of_a_store_and_of_a_newsroom_that_know_no_more(
    tmp_path: Path,
) -> None:
    print("LEDGERPRESS_TEST_SEED =", SEED)  # noqa: T201 - a failure should say how to repeat it
    chance = Random(SEED)
    year = BusyYear(SEED, posts=POSTS, events=EVENTS)
    await year.pass_by()
    known, history, events = year.desk.room, year.desk.history, year.desk.log.events
    assert len(events) >= EVENTS
    assert len(known.posts) >= POSTS
    recorded = Counter(one.header.type for one in history)
    assert {name for name, *_ in EVENT_TYPES} - recorded.keys() == NOT_RECORDED

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
    engine, seen = Executor(graphql_schema()), Counter[str]()
    for moment in moments(chance, known.times, POSITIONS):
        for one in history[len(room.times) : moment.position]:
            room.apply(one)
        clock.time = room.times[-1] if moment.time is None else moment.time
        await give(part, logs, moment.position)
        asked = chooser.choose(room)

        expected = Then(room, clock.time).answers(asked)
        as_of = await answers(engine, whole, {**asked.variables(), "at": moment.as_of})
        today = await answers(engine, part, asked.variables())
        assert as_of.keys() == today.keys() == expected.keys()
        for name in expected:
            about = f"{name} at {moment}, seed {SEED}: {asked}"
            assert today[name] == expected[name], about
            assert as_of[name] == expected[name], about
        take_note(expected, seen)
    return seen


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
