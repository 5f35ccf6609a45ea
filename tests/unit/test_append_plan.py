"""Append plans: which version of a stream is checked when features add events and guards."""

import pytest

from ledgerpress.commands.streams_and_append_plan import AppendPlan, PlannedWrite
from ledgerpress.eventlog.errors import WrongExpectedVersion
from ledgerpress.eventlog.event_and_withdrawn_event import Event

EVENT = Event()
PLAN = AppendPlan.of("subject", PlannedWrite("post.a", 2, [EVENT]))


def test_added_events_extend_the_planned_write_of_their_stream() -> None:
    plan = PLAN.adding([PlannedWrite("post.a", 2, [EVENT]), PlannedWrite("post.b", 0, [EVENT])])
    assert [(write.stream, write.expected, len(write.events)) for write in plan.writes] == [
        ("post.a", 2, 2),
        ("post.b", 0, 1),
    ]
    assert PLAN.adding([PlannedWrite("post.b", 0)]) == PLAN


def test_guards_add_the_streams_that_they_read() -> None:
    plan = PLAN.checking([("post.a", 2), ("lock.a", 1)]).checking([("lock.a", 1)])
    assert plan.writes == (*PLAN.writes, PlannedWrite("lock.a", 1))


@pytest.mark.parametrize("version", [1, 3])
def test_a_stream_that_changed_while_the_command_was_planned_is_a_conflict(version: int) -> None:
    with pytest.raises(WrongExpectedVersion) as conflict:
        PLAN.adding([PlannedWrite("post.a", version, [EVENT])])
    assert (conflict.value.stream, conflict.value.expected, conflict.value.actual) == ("post.a", 2, version)
    with pytest.raises(WrongExpectedVersion):
        PLAN.checking([("post.a", version)])
    with pytest.raises(WrongExpectedVersion):
        PLAN.checking([("lock.a", version)]).checking([("lock.a", version + 1)])
