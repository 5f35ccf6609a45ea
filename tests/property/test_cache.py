"""Cached responses equal fresh ones for any writes, queries and viewers, through two stores.

So do responses that are executed with the reads that a store remembers.

`LEDGERPRESS_TEST_EXAMPLES=1000 scripts/test tests/property/test_cache.py` runs more examples. A failure prints how to
repeat it.
"""

import asyncio
import logging
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final, TypeAlias

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.commands.skip_event import SkipEvent
from ledgerpress.eventlog.leases import Leases
from ledgerpress.features.registry import EVENT_TYPES, event_codec, graphql_schema
from ledgerpress.graphql.cached_executor import CachedExecutor
from ledgerpress.graphql.executor import Executor
from ledgerpress.graphql.results import encoded
from ledgerpress.operator.withdraw import NEVER_WITHDRAWN, withdraw_payload
from ledgerpress.server.log_factory import open_log
from ledgerpress.server.log_url import LOCAL, LogUrl
from ledgerpress.server.store import Store, open_store
from ledgerpress.server.views_rebuild import rebuild
from tests.cached_documents import execute_cached, nothing_remembered
from tests.fixed_sources import SeededBytes, StandingClock
from tests.property.command_generator import KINDS
from tests.property.day_scenario import WHOLE_DAY
from tests.property.narrow_queries import DOCUMENTS, VIEWERS, Query, QueryGenerator
from tests.property.store_session import Action, ClockMoves, Restart, Session, actions
from tests.property.test_views import EXAMPLES

QUERIES_AFTER_EACH_STEP: Final = 24
REPEATED_SHARE: Final = 0.9


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Hide the log lines about the hundreds of faults of these tests."""
    caplog.set_level(logging.CRITICAL, "ledgerpress")


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Withdraw the payload of one event; `place` is its place as a share of all events."""

    place: float


@dataclass(frozen=True, slots=True)
class Skip:
    """Record that a projection may skip an event."""


@dataclass(frozen=True, slots=True)
class TakeLease:
    """Take a lease and release it."""


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Rebuild the views, and let both stores switch to them."""


@dataclass(frozen=True, slots=True)
class ToExpiry:
    """Set the clock to the time at which a cached response expires, plus `by` microseconds."""

    by: int


Step: TypeAlias = Action | Withdraw | Skip | TakeLease | ToExpiry | Rebuild
steps: st.SearchStrategy[list[Step]] = st.builds(
    lambda actions_, some, at: [*actions_[:at], *some, *actions_[at:]],
    actions.map(lambda actions_: [action for action in actions_ if not isinstance(action, Restart)]),
    st.lists(
        st.builds(Withdraw, st.floats(0, 1))
        | st.builds(ToExpiry, st.integers(-1, 0))
        | st.builds(ClockMoves, st.integers(-7_200, 7_200)),
        max_size=3,
    ),
    st.integers(0, 60),
)
DAY_WITH_TWO_STORES: Final[list[Step]] = [
    *(action for action in WHOLE_DAY if not isinstance(action, Restart)),
    *(
        ToExpiry(-1),
        ToExpiry(0),
        Withdraw(0.5),
        Withdraw(0.2),
        ClockMoves(-90),
        TakeLease(),
        Skip(),
        Rebuild(),
        ClockMoves(60),
    ),
]


@dataclass
class Reader:
    """A store and its cached responses, compared with fresh responses."""

    store: Store
    executor: CachedExecutor
    engine: Executor
    expiry_times: list[int] = field(default_factory=list)

    async def compare(self, query: Query) -> None:
        """Fail unless the cached response equals a fresh one at its position, which is not behind the views."""
        while True:
            reached = self._reached()
            cached = await execute_cached(self.executor, self.store, **query.arguments)
            executed = await self.engine.execute_document(self.store, **query.arguments)
            with nothing_remembered():
                fresh = await self.engine.execute_document(self.store, **query.arguments)
            assert cached.position >= reached
            if cached.position == executed.position == fresh.position:
                break  # otherwise another store has written in between
        assert cached.body == encoded(fresh).body, query
        assert encoded(executed).body == encoded(fresh).body, query
        assert cached.executed or query.name == "nonsense", cached.body
        if cached.expires_at is not None:
            self.expiry_times.append(cached.expires_at)

    def _reached(self) -> int:
        """Return the position of the views, as read from their file."""
        with closing(sqlite3.connect(self.store.views.path)) as db:
            return int(db.execute("SELECT min(position) FROM projection").fetchone()[0])


class Newspaper:
    """A session, a second store on its data, and queries to both."""

    def __init__(self, session: Session, readers: Sequence[Reader], seed: int) -> None:
        self.chance = Random(seed)
        self.session = session
        self.readers = readers
        self.query_generator = QueryGenerator(self.chance, session.room, session.history)
        self.queries: list[Query] = []

    async def run(self, step: Step) -> None:
        """Run a step, with queries after it, and half of the time with concurrent queries."""
        queries = [self._query() for _ in range(QUERIES_AFTER_EACH_STEP)]
        match step:
            case Withdraw(place=place):
                await self._withdraw(place)
            case Skip():
                await self.session.store.commands.handle(SkipEvent(projection="posts", position=1))
            case TakeLease():
                await self._take_lease()
            case Rebuild():
                await self._rebuild()
            case ToExpiry(by=by):
                times = [time for reader in self.readers for time in reader.expiry_times]
                self.session.clock.time = self.chance.choice(times or [self.session.clock.time]) + by
            case _ if isinstance(step, ClockMoves) or self.chance.random() < 0.5:
                await self.session.do(step)
            case _:
                concurrent = [self._query() for _ in range(4)]
                await asyncio.gather(self.session.do(step), *(self._compare(query) for query in concurrent))
        await self.session.read_new_events()
        for query in queries:
            await self._compare(query)

    async def _compare(self, query: Query) -> None:
        self.session.counts[query.name] += 1
        self.session.counts[query.viewer] += 1
        await self.chance.choice(self.readers).compare(query)

    def _query(self) -> Query:
        if self.queries and self.chance.random() < REPEATED_SHARE:
            return self.chance.choice(self.queries[-40:])
        self.queries.append(self.query_generator.query())
        return self.queries[-1]

    async def _withdraw(self, place: float) -> None:
        store, history = self.session.store, self.session.history
        candidates = [
            recorded.position for recorded in history if recorded.header.type not in NEVER_WITHDRAWN
        ]
        request = CommandRequest(reason="by law")
        position = candidates[min(int(place * len(candidates)), len(candidates) - 1)]
        at = await withdraw_payload(
            store.log, event_codec(), store.clock, SeededBytes(str(position)), position, request
        )
        await store.views.wait_for(at, 10)

    async def _take_lease(self) -> None:
        data, clock = self.session.data, self.session.clock
        log = await open_log(LogUrl.parse(LOCAL), data, create_as=None)
        try:
            async with Leases(log, event_codec(), clock, SeededBytes("lease"), node="node").hold("schedules"):
                pass
        finally:
            await log.aclose()

    async def _rebuild(self) -> None:
        await rebuild(self.session.data)
        paths = {reader.store.views.path for reader in self.readers}
        async with asyncio.timeout(20):
            while paths & {reader.store.views.path for reader in self.readers}:
                await asyncio.gather(*(self._compare(self._query()) for _ in range(3)))
                await asyncio.sleep(0.01)


async def run_steps(data: Path, steps: Sequence[Step], seed: int, counts: Counter[str]) -> None:
    """Run the steps, and count how many responses were cache hits."""
    engine = Executor(graphql_schema())
    async with (
        Session(data, clock=StandingClock(), counts=counts) as session,
        open_store(data, clock=session.clock) as second,
    ):
        await session.begin()
        readers = [Reader(store, CachedExecutor(engine), engine) for store in (session.store, second)]
        newspaper = Newspaper(session, readers, seed)
        for step in steps:
            await newspaper.run(step)
        for reader in readers:
            counts["hits"] += reader.executor.counts.hits
            counts["not hits"] += reader.executor.counts.executed + reader.executor.counts.shared


def test_cached_responses_equal_fresh_ones_for_any_writes_and_queries() -> None:
    counts: Counter[str] = Counter()

    @settings(
        max_examples=EXAMPLES // 3, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck)
    )
    @example(DAY_WITH_TWO_STORES, 1)
    @example(DAY_WITH_TWO_STORES, 2)
    @given(steps, st.integers(0, 2**32))
    def holds(chosen: list[Step], seed: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(run_steps(Path(folder) / "data", chosen, seed, counts))

    holds()
    print({name: counts[name] for name in ("hits", "not hits", *DOCUMENTS)})  # noqa: T201
    assert {kind.__name__ for kind in KINDS} <= counts.keys()
    assert {*DOCUMENTS, *VIEWERS} <= counts.keys()
    recorded_by_operators = {"clock.confirmed", "clock.corrected"}
    assert {name for name, *_ in EVENT_TYPES} - recorded_by_operators <= counts.keys()
    assert counts["hits"] >= counts["not hits"]
