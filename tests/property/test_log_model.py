"""A log and a model of it in plain Python: after any operations, both contain the same events, on every engine."""

import asyncio
from collections.abc import Sequence
from itertools import count
from typing import TypeAlias

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ledgerpress.eventlog.envelope import NewEvent
from ledgerpress.eventlog.errors import DuplicateEvent, WrongExpectedVersion
from ledgerpress.eventlog.log import ANY_VERSION, NO_STREAM, OpenedLog, StreamWrite, first_writes
from tests.contract.sample_events import sample_event
from tests.engines.log_locations import LogPlace, another_place

RejectionType: TypeAlias = type[WrongExpectedVersion] | type[DuplicateEvent]
AppendSpec: TypeAlias = list[tuple[str, str, list[int | None]]]
"""Streams, each with the kind of expected version and the ids of its events; without events it is a guard.

The kind "next" expects the version after an earlier write of the same stream.
"""

EXAMPLES = {"sqlite": 40}
"""The number of examples by engine. Other engines use `FEWER`, because each step is a request to a server."""
FEWER = 10
STREAMS = ["taxonomy", "post.a", "post.b", "slug.c", "lease.d"]
EVENT_IDS = st.one_of(st.none(), st.none(), st.integers(0, 5))
"""Mostly new ids, and some that are repeated."""


class Model:
    """The expected contents of the log: (stream, version, event) at each position."""

    def __init__(self) -> None:
        self.events: list[tuple[str, int, NewEvent]] = []
        self.withdrawn: set[int] = set()

    def version(self, stream: str) -> int:
        return sum(1 for name, _, _ in self.events if name == stream)

    def rejections(self, writes: list[StreamWrite]) -> set[RejectionType]:
        """Return the reasons for which the log may reject an append now; without a reason it must not."""
        new = [event.event_id for write in writes for event in write.events]
        rejections = set[RejectionType]()
        if any(
            write.expected not in (ANY_VERSION, self.version(write.stream)) for write in first_writes(writes)
        ):
            rejections.add(WrongExpectedVersion)
        if not rejections and any(event.event_id in new for _, _, event in self.events):
            rejections.add(DuplicateEvent)
        if len(set(new)) < len(new):
            # The log may report this first, because the check does not need to read the log.
            rejections.add(DuplicateEvent)
        return rejections

    def append(self, writes: list[StreamWrite]) -> int:
        assert not self.rejections(writes)
        for write in writes:
            for event in write.events:
                self.events.append((write.stream, self.version(write.stream) + 1, event))
        return len(self.events)

    def append_in_turn(self, appends: list[list[StreamWrite]], outcomes: Sequence[object]) -> None:
        """Apply appends, and fail if these outcomes are impossible in this order."""
        for writes, outcome in zip(appends, outcomes, strict=True):
            possible: set[object] = {*self.rejections(writes)}
            assert outcome in (possible or {self.append(writes)})

    def append_at_once(self, appends: list[list[StreamWrite]], outcomes: Sequence[object]) -> None:
        """Apply concurrent appends, and fail if these outcomes are impossible in any order.

        The positions give the order of the recorded appends. Each of the others must have been rejectable, for the
        reported reason, at some moment between them.
        """
        reasons = [self.rejections(writes) for writes in appends]
        recorded = [pair for pair in zip(outcomes, appends, strict=True) if isinstance(pair[0], int)]
        for outcome, writes in sorted(recorded, key=lambda pair: int(str(pair[0]))):
            assert self.append(writes) == outcome
            for possible, others in zip(reasons, appends, strict=True):
                possible |= self.rejections(others)
        for outcome, possible in zip(outcomes, reasons, strict=True):
            assert isinstance(outcome, int) or outcome in possible


@st.composite
def commands(draw: st.DrawFn) -> AppendSpec:
    """Draw one append."""
    streams = draw(st.lists(st.sampled_from(STREAMS), min_size=1, max_size=3, unique=True))
    kinds = [draw(st.sampled_from(["exact", "exact", "exact", "any", "stale", "ahead"])) for _ in streams]
    if set(kinds) == {"any"}:
        kinds[0] = "exact"
    names = [draw(st.lists(EVENT_IDS, min_size=int(kind == "any"), max_size=3)) for kind in kinds]
    if not any(names):
        names[0] = [draw(EVENT_IDS)]
    appends = list(zip(streams, kinds, names, strict=True))
    for index, (stream, kind, ids) in enumerate(list(appends)):
        if kind != "any" and len(ids) > 1 and draw(st.booleans()):
            appends[index] = (stream, kind, ids[:1])
            appends.append((stream, "next", ids[1:]))
    return appends


class LogAndModel(RuleBasedStateMachine):
    """Two connections to one log, as of two processes, and the model."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.place = LogPlace(url)
        self.in_turn = not url.startswith("nats:")
        self.runner = asyncio.Runner()
        self.model = Model()
        self.logs = [self.open(), self.open()]

    def open(self) -> OpenedLog:
        return self.runner.run(self.place.open())

    def writes(self, command: AppendSpec) -> list[StreamWrite]:
        shift = {"exact": 0, "stale": -1, "ahead": 1}
        writes: list[StreamWrite] = []
        for stream, kind, names in command:
            if kind == "any":
                expected = ANY_VERSION
            elif kind == "next":
                (before,) = (write for write in writes if write.stream == stream)
                expected = before.expected + len(before.events)
            else:
                expected = max(0, self.model.version(stream) + shift[kind])
            writes.append(StreamWrite(stream, expected, tuple(sample_event(name) for name in names)))
        return writes

    @rule(connection=st.integers(0, 1), group=st.lists(commands(), min_size=1, max_size=5))
    def append_at_once(self, connection: int, group: list[AppendSpec]) -> None:
        """Concurrent appends have the same outcomes as sequential ones, in some order.

        If a process has a single writer, it is the order in which the appends arrived.
        """
        appends = [self.writes(command) for command in group]

        async def append_all() -> list[int | BaseException]:
            log = self.logs[connection]
            return await asyncio.gather(*(log.append(writes) for writes in appends), return_exceptions=True)

        results = self.runner.run(append_all())
        outcomes = [result if isinstance(result, int) else type(result) for result in results]
        (self.model.append_in_turn if self.in_turn else self.model.append_at_once)(appends, outcomes)

    @rule(connection=st.integers(0, 1))
    def open_again(self, connection: int) -> None:
        self.runner.run(self.place.close(self.logs[connection]))
        self.logs[connection] = self.open()

    @precondition(lambda self: self.model.events)
    @rule(connection=st.integers(0, 1), at=st.integers(0, 100))
    def withdraw(self, connection: int, at: int) -> None:
        """Withdraw a payload, or complete the withdrawal if it is already recorded."""
        position = at % len(self.model.events) + 1
        _, _, event = self.model.events[position - 1]
        stream = f"withdrawal.{event.event_id}"
        record = [StreamWrite(stream, NO_STREAM, (sample_event(event_type="payload.withdrawn"),))]
        if event.type == "payload.withdrawn":
            return
        if position in self.model.withdrawn:
            record = []
        outcome = self.runner.run(self.logs[connection].withdraw(position, record))
        assert outcome == (self.model.append(record) if record else len(self.model.events))
        self.model.withdrawn.add(position)

    @rule(connection=st.integers(0, 1), after=st.integers(0, 30), limit=st.integers(0, 10))
    def read(self, connection: int, after: int, limit: int) -> None:
        events = self.runner.run(self.logs[connection].read(after, limit))
        assert [event.position for event in events] == list(
            range(after + 1, min(len(self.model.events), after + limit) + 1)
        )

    @rule(connection=st.integers(0, 1), stream=st.sampled_from(STREAMS), after=st.integers(0, 5))
    def read_stream(self, connection: int, stream: str, after: int) -> None:
        events = self.runner.run(self.logs[connection].read_stream(stream, after))
        assert [event.header.event_id for event in events] == [
            event.event_id for name, version, event in self.model.events if name == stream and version > after
        ]

    @rule(connection=st.integers(0, 1), ahead=st.integers(-2, 1))
    def wait(self, connection: int, ahead: int) -> None:
        head = len(self.model.events)
        assert self.runner.run(self.logs[connection].wait_beyond(head + ahead, 0)) == (ahead < 0)

    @invariant()
    def log_equals_model(self) -> None:
        for log in self.logs:
            assert self.runner.run(log.head()) == len(self.model.events)
        stored = self.runner.run(self.logs[0].read(0, 10_000))
        assert [(event.header, event.payload) for event in stored] == [
            (
                event.header(
                    publication=self.logs[0].publication,
                    position=position,
                    stream=stream,
                    stream_version=version,
                ),
                None if position in self.model.withdrawn else event.payload,
            )
            for position, (stream, version, event) in enumerate(self.model.events, 1)
        ]

    def teardown(self) -> None:
        self.runner.run(self.place.close_all())
        self.runner.close()


def test_a_log_equals_its_model_after_any_operations(log_url: str) -> None:
    numbers = count(1)

    class LogUnderTest(LogAndModel):
        def __init__(self) -> None:
            super().__init__(another_place(log_url, next(numbers)))

    examples = EXAMPLES.get(log_url.partition(":")[0], FEWER)
    slow = [HealthCheck.too_slow]
    run_state_machine_as_test(
        LogUnderTest,
        settings=settings(
            max_examples=examples, stateful_step_count=25, deadline=None, suppress_health_check=slow
        ),
    )
