"""Recorded times as of any position, with any corrections of clocks, compared with a model in plain Python."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.commands.confirm_and_correct_clock import CorrectClock
from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.envelope import Header
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.kernel_events import ClockConfirmed, ClockCorrected
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost
from ledgerpress.features.posts.model import PostArchived, PostCreated, PostPublished, PostUnpublished
from ledgerpress.features.registry import graphql_schema
from ledgerpress.graphql.executor import Executor
from ledgerpress.operator.verify import verify_log
from ledgerpress.rfc3339 import format_time, parse
from ledgerpress.server.store import Store, open_store
from ledgerpress.views.recorded_time_positions import (
    MomentsProjector,
    corrected_time,
    position_at,
    time_of,
)
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot
from tests.fixed_sources import SeededBytes, SetClock
from tests.past_ids import with_current_ids
from tests.property.day_scenario import WHOLE_DAY
from tests.property.expected_responses import Json
from tests.property.store_session import Session
from tests.property.stores_with_history import query_data
from tests.property.view_rows import rebuilt, rows_of, views_in_use

HOUR: Final = 3_600_000_000
DAY: Final = 24 * HOUR
EXAMPLES: Final = int(os.environ.get("LEDGERPRESS_TEST_EXAMPLES", "200"))
ID: Final = "00000000-0000-8000-8000-00000000000a"


class Step(NamedTuple):
    """An event: its recorded time, and the range and shift if it corrects a clock, as fractions of its position."""

    time: int
    correction: tuple[float, float, int] | None


steps: Final = st.lists(
    st.builds(
        Step,
        st.integers(0, 40),
        st.none() | st.none() | st.tuples(st.floats(0, 1), st.floats(0, 1), st.integers(-30, 30)),
    ),
    min_size=1,
    max_size=40,
)


def event(position: int, step: Step) -> Recorded[Event]:
    """Return the event of a step."""
    header = Header(
        1, ID, position, ID, "clock", 1, "clock.confirmed", 1, step.time, ID, None, ID, ID, None, ""
    )
    if step.correction is None or position == 1:
        return Recorded(header, ClockConfirmed(last_recorded_time=0))
    first, last = sorted(1 + int(part * (position - 2)) for part in step.correction[:2])
    return Recorded(
        header, ClockCorrected(first_position=first, last_position=last, shift=step.correction[2])
    )


def times_as_of(events: list[Recorded[Event]], now: int) -> list[int]:
    """Return the recorded time of each of the first `now` events, as of the position `now`."""
    times = [recorded.header.recorded_at for recorded in events[:now]]
    for recorded in events[:now]:
        if isinstance(correction := recorded.event, ClockCorrected):
            for position in range(correction.first_position, correction.last_position + 1):
                times[position - 1] = events[position - 1].header.recorded_at + correction.shift
    return times


@settings(max_examples=EXAMPLES, deadline=None)
@given(steps, st.lists(st.integers(1, 40)))
def test_recorded_times_follow_the_last_correction_of_each_event(
    steps: list[Step], commits: list[int]
) -> None:
    events = [event(position, step) for position, step in enumerate(steps, 1)]
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.executescript(f"{MomentsProjector.schema}{MomentsProjector.indexes}")
        batch = MomentsProjector().begin(db)
        for recorded in events:
            batch.apply(recorded)
            if recorded.position in commits:
                batch.flush()
                batch = MomentsProjector().begin(db)
        batch.flush()
        for now in range(len(events) + 1):
            snapshot, times = Snapshot(db, now), times_as_of(events, now)
            assert time_of(snapshot) == max(times, default=None)
            for position, recorded in enumerate(events[:now], 1):
                assert corrected_time(snapshot, recorded.header.recorded_at, position) == times[position - 1]
            for time in range(-31, 72):
                expected = next((at for at, then in enumerate(times) if then > time), now)
                assert position_at(snapshot, time) == expected


def test_rows_do_not_depend_on_when_they_are_committed() -> None:
    @settings(max_examples=EXAMPLES, deadline=None)
    @given(steps, st.lists(st.integers(1, 40)))
    def check(steps: list[Step], commits: list[int]) -> None:
        rows = []
        for chosen in (commits, []):
            with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
                db.executescript(f"{MomentsProjector.schema}{MomentsProjector.indexes}")
                batch = MomentsProjector().begin(db)
                for position, step in enumerate(steps, 1):
                    batch.apply(event(position, step))
                    if position in chosen:
                        batch.flush()
                        batch = MomentsProjector().begin(db)
                batch.flush()
                tables = ("moment", "earlier_time", "clock_correction")
                rows.append([db.execute(f"SELECT * FROM {table}").fetchall() for table in tables])
        assert rows[0] == rows[1]

    check()


MOMENT: Final = """
query ($at: AsOf) {
  moment(asOf: $at) { position time }
  recentPosts(first: 50, asOf: $at) { totalCount nodes { title publishedAt updatedAt corrections { at } } }
  posts(first: 50, asOf: $at) { nodes { title createdAt article { publishedAt } } }
}
"""


def expected_dates(events: list[Recorded[Event]]) -> dict[str, int]:
    """Return the publication date of each public post, by its id: the newest one first."""
    times = times_as_of(events, len(events))
    raw: dict[str, int] = {}
    origins: dict[str, int | None] = {}
    public: dict[str, bool] = {}
    created: dict[str, int] = {}
    for recorded in events:
        match recorded.event:
            case PostCreated(post_id=post_id):
                created[post_id] = recorded.position
            case PostPublished(post_id=post_id, published_at=date):
                if date != raw.get(post_id):
                    came_from_clock = date == recorded.header.recorded_at
                    origins[post_id] = recorded.position if came_from_clock else None
                raw[post_id], public[post_id] = date, True
            case PostUnpublished(post_id=post_id) | PostArchived(post_id=post_id):
                public[post_id] = False
            case _:
                pass
    dates = {
        post_id: date if (origin := origins[post_id]) is None else times[origin - 1]
        for post_id, date in raw.items()
        if public[post_id]
    }
    return dict(sorted(dates.items(), key=lambda item: (item[1], created[item[0]]), reverse=True))


async def correct(session: Session, chance: Random) -> None:
    """Correct the clock of some of the recorded events."""
    first, last = sorted(chance.choices(range(1, len(session.history) + 1), k=2))
    shift = chance.choice((-400 * DAY, -3 * DAY, -HOUR, 0, HOUR, 2 * DAY))
    command = CorrectClock(first_position=first, last_position=last, shift=shift)
    await session.store.commands.handle(command, CommandRequest(reason="It was wrong."))
    await session.read_new_events()


async def dates_shown(store: Store) -> list[int]:
    """Return the publication dates of all public posts, in the order in which they are listed."""
    data = await query_data(Executor(graphql_schema()), store, {"at": None}, document=MOMENT)
    return [parse(node["publishedAt"]) for node in data["recentPosts"]["nodes"]]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
async def test_views_apply_corrections_and_past_responses_stay(tmp_path: Path, seed: int) -> None:
    chance, engine = Random(seed), Executor(graphql_schema())
    responses: list[tuple[int, Json]] = []
    async with Session(tmp_path / "data") as session:
        await session.begin()
        for number, action in enumerate(WHOLE_DAY):
            await session.do(action)
            if chance.random() < 0.3:
                session.clock.time += chance.choice((-30 * DAY, 30 * DAY, HOUR))
            if number % 4 == 3:
                await correct(session, chance)
            response = await query_data(engine, session.store, {"at": None}, document=MOMENT)
            responses.append((int(response["moment"]["position"]), response))
            assert await dates_shown(session.store) == list(expected_dates(session.history).values())
        for position, response in responses:
            past = await query_data(engine, session.store, {"at": {"position": position}}, document=MOMENT)
            assert with_current_ids(past) == with_current_ids(response)
        for batch_size in (1, 7, 10_000):
            rows = await rebuilt(
                session.store.log, tmp_path / f"rebuilt-{batch_size}.sqlite", batch_size=batch_size
            )
            assert rows == rows_of(views_in_use(tmp_path / "data"))
        assert session.counts["clock.corrected"] >= 5


async def test_a_correction_has_the_same_effect_on_every_engine(tmp_path: Path, log_url: str) -> None:
    clock = SetClock()
    async with open_store(tmp_path / "data", log=log_url, clock=clock, randomness=SeededBytes()) as store:
        await store.commands.handle(CreatePost(title="Before", publish=True))
        clock.time += 3_650 * DAY
        wrong = await store.commands.handle(CreatePost(title="Ahead", publish=True))
        clock.time -= 3_650 * DAY
        first = (await store.commands.handle(CreatePost(title="After", publish=True))).position
        time = clock.now()
        assert await titles(store) == ["Ahead", "After", "Before"]
        assert await titles(store, time) == ["Before"]
        correction = CorrectClock(
            first_position=wrong.position - 2, last_position=wrong.position, shift=-3_650 * DAY
        )
        await store.commands.handle(correction, CommandRequest(reason="Ten years ahead."))
        assert await titles(store) == ["After", "Ahead", "Before"]
        # No event is hidden any more. The order is that of then: the correction was not recorded yet.
        assert await titles(store, time) == ["Ahead", "After", "Before"]
        with store.snapshot() as snapshot:
            assert (last := time_of(snapshot)) is not None
            assert time < last <= clock.time
            assert (time_of(snapshot.at(first)) or 0) > clock.time + 3_000 * DAY
    verification = await verify_log(tmp_path / "data", log=log_url)
    assert verification.finding is None
    assert verification.head.recorded_time == last


async def titles(store: Store, time: int | None = None) -> list[str]:
    """Return the titles of the recent posts, as of a time."""
    query = "query ($at: AsOf) { recentPosts(asOf: $at) { nodes { title } } }"
    at = None if time is None else {"time": format_time(time)}
    data = await query_data(Executor(graphql_schema()), store, {"at": at}, document=query)
    return [node["title"] for node in data["recentPosts"]["nodes"]]
