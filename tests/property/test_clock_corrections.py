"""Recorded times as of any position, with any corrections of clocks, compared with a model in plain Python."""

import os
import sqlite3
from contextlib import closing
from typing import Final, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.envelope import Header
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.kernel_events import ClockConfirmed, ClockCorrected
from ledgerpress.views.recorded_time_positions import (
    MomentsProjector,
    corrected_time,
    position_at,
    time_of,
)
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

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
