"""Responses as of any position, compared with a store that ends there and with a model in plain Python.

A failure prints the seed; `LEDGERPRESS_TEST_SEED=7 scripts/test tests/property/test_as_of.py` uses another.
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
from tests.past_ids import positions_in, with_current_ids
from tests.property.argument_choice import Chooser, moments
from tests.property.expected_responses import ExpectedResponses, Json, VersionedNewsroom
from tests.property.long_scenario import LongScenario, StandingClock
from tests.property.stores_with_history import copy_events, copying, query_data, store_of

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
    "clock.confirmed",
    "clock.corrected",
    # `test_site_pages.py` compares these.
    "site.described",
    "page.created",
    "page.edited",
    "page.published",
    "page.unpublished",
    "menu.arranged",
}
"""Event types that no response as of a moment shows, or that affect all responses at once."""


async def test_responses_as_of_a_position_equal_those_of_a_store_that_ends_there(tmp_path: Path) -> None:
    print("LEDGERPRESS_TEST_SEED =", SEED)  # noqa: T201 - a failure must show how to repeat it
    chance = Random(SEED)
    scenario = LongScenario(SEED, posts=POSTS, events=EVENTS)
    await scenario.run()
    known, history, events = scenario.commands.room, scenario.commands.history, scenario.commands.log.events
    assert len(events) >= EVENTS
    assert len(known.posts) >= POSTS
    recorded = Counter(event.header.type for event in history)
    assert {name for name, *_ in EVENT_TYPES} - recorded.keys() == NOT_RECORDED

    clock = StandingClock(known.times[-1])
    async with (
        store_of(tmp_path / "whole", events, StandingClock(known.times[-1])) as full,
        store_of(tmp_path / "part", events[:1], clock) as part,
    ):
        with copying(tmp_path / "whole", tmp_path / "part") as logs:
            counts = await compare(chance, scenario, full, part, logs, clock)
    print(f"{len(events):,} events, {len(known.posts):,} posts, {POSITIONS} positions:", dict(counts))  # noqa: T201
    assert_all_cases_occurred(counts)


async def compare(
    chance: Random,
    scenario: LongScenario,
    full: Store,
    part: Store,
    logs: sqlite3.Connection,
    clock: StandingClock,
) -> Counter[str]:
    """Query `full` as of each moment, and `part`, whose clock is `clock`, when it ends at that moment."""
    known, history = scenario.commands.room, scenario.commands.history
    room, chooser = VersionedNewsroom(), Chooser(chance, known)
    engine, counts = Executor(graphql_schema()), Counter[str]()
    for moment in moments(chance, known.times, POSITIONS):
        for recorded in history[len(room.times) : moment.position]:
            room.apply(recorded)
        clock.time = room.times[-1] if moment.time is None else moment.time
        await copy_events(part, logs, moment.position)
        arguments = chooser.choose(room)

        expected = ExpectedResponses(room, clock.time).data(arguments)
        past = await query_data(engine, full, {**arguments.variables(), "at": moment.as_of})
        present = await query_data(engine, part, arguments.variables())
        assert past.keys() == present.keys() == expected.keys()
        for name in expected:
            details = f"{name} at {moment}, seed {SEED}: {arguments}"
            assert present[name] == expected[name], details
            assert with_current_ids(past[name]) == expected[name], details
            assert positions_in(past[name]) <= {moment.position}, details
        count_cases(expected, counts)
    return counts


def count_cases(data: Json, counts: Counter[str]) -> None:
    """Count the objects found and missing, pages with more on either side, and special cases."""
    for name, value in data.items():
        counts["answers"] += 1
        counts[f"{name} {'found' if value else 'missing'}"] += 1
        if value and "edges" in value:
            counts[f"{name}: {'more' if value['pageInfo']['hasNextPage'] else 'no more'}"] += 1
            counts[f"{name}: entries"] += len(value["edges"])
    article, category = data["article"], data["category"]
    if article:
        counts["former slugs"] += bool(article["previousSlugs"])
        counts["corrections"] += bool(article["corrections"])
        counts["reworded"] += any(note["rewordedAt"] for note in article["corrections"])
        counts["of text that is gone"] += not all(note["appliesToArticle"] for note in article["corrections"])
    if data.get("post"):
        counts["retracted"] += any(note["retractedAt"] for note in data["post"]["corrections"])
    if category:
        counts["ancestors"] += bool(category["ancestors"])
        counts["children"] += bool(category["children"])
        counts["within more than own"] += category["articleCount"] > category["own"]["totalCount"]


def assert_all_cases_occurred(counts: Counter[str]) -> None:
    objects = ("article", "articleBySlug", "category", "categoryBySlug", "author", "post", "postBySlug")
    pages = ("recentBeyond", "recentBack", "oldest", "inCategory", "categories", "postsBeyond", "postsBack")
    kinds = (
        *(f"{name} found" for name in objects),
        *(f"{name} missing" for name in objects),
        *(f"{name}: more" for name in pages),
        *(f"{name}: no more" for name in pages if not name.endswith("Back")),
        *(
            "former slugs",
            "corrections",
            "reworded",
            "retracted",
            "of text that is gone",
            "ancestors",
            "children",
            "within more than own",
        ),
    )
    assert {kind: counts[kind] for kind in kinds if not counts[kind]} == {}
