"""Whatever is written and asked, by whomever, through whichever store: an answer that was kept is the one that is true.

`LEDGERPRESS_TEST_EXAMPLES=1000 scripts/test tests/property/test_cache.py` looks longer. A failure prints how to repeat it.
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
from tests.cached_documents import execute_cached
from tests.fixed_sources import SeededBytes, StandingClock
from tests.property.command_generator import KINDS
from tests.property.day_scenario import WHOLE_DAY
from tests.property.narrow_queries import DOCUMENTS, VIEWERS, Question, Questioner
from tests.property.store_session import Action, ClockMoves, Restart, Session, actions
from tests.property.test_views import EXAMPLES

ASKED_AFTER_EACH: Final = 24
ASKED_AGAIN: Final = 0.9


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Let nobody tell of the faults that are made here by the hundred."""
    caplog.set_level(logging.CRITICAL, "ledgerpress")


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Withdraw the payload of an event, given as a share of all there are."""

    place: float


@dataclass(frozen=True, slots=True)
class Skip:
    """Record that a projection may do without an event."""


@dataclass(frozen=True, slots=True)
class TakeLease:
    """Take a lease, and give it up."""


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Make the views anew, and let both stores answer from those."""


@dataclass(frozen=True, slots=True)
class ToTheTurn:
    """Set the clock to where an answer that is kept goes out of date, or just before."""

    by: int


Step: TypeAlias = Action | Withdraw | Skip | TakeLease | ToTheTurn | Rebuild
steps: st.SearchStrategy[list[Step]] = st.builds(
    lambda many, some, at: [*many[:at], *some, *many[at:]],
    actions.map(lambda many: [one for one in many if not isinstance(one, Restart)]),
    st.lists(
        st.builds(Withdraw, st.floats(0, 1))
        | st.builds(ToTheTurn, st.integers(-1, 0))
        | st.builds(ClockMoves, st.integers(-7_200, 7_200)),
        max_size=3,
    ),
    st.integers(0, 60),
)
DAY_OF_TWO: Final[list[Step]] = [
    *(one for one in WHOLE_DAY if not isinstance(one, Restart)),
    *(
        ToTheTurn(-1),
        ToTheTurn(0),
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
    """A store and its kept answers, held against what is answered anew."""

    store: Store
    answers: CachedExecutor
    engine: Executor
    turns: list[int] = field(default_factory=list)

    async def ask(self, question: Question) -> None:
        """Ask, and fail unless the answer is the one that is true at its position, which is not an old one."""
        while True:
            reached = self._reached()
            found = await execute_cached(self.answers, self.store, **question.asked)
            anew = await self.engine.execute_document(self.store, **question.asked)
            assert found.position >= reached
            if found.position == anew.position:  # else somebody has written meanwhile
                break
        assert found.body == encoded(anew).body, question
        assert found.executed or question.name == "nonsense", found.body
        if found.expires_at is not None:
            self.turns.append(found.expires_at)

    def _reached(self) -> int:
        """Return how far the views have come, as anyone finds it who opens their file."""
        with closing(sqlite3.connect(self.store.views.path)) as db:
            return int(db.execute("SELECT min(position) FROM projection").fetchone()[0])


class Newspaper:
    """A session, a second store on its data, and questions to both."""

    def __init__(self, session: Session, readers: Sequence[Reader], seed: int) -> None:
        self.chance = Random(seed)
        self.session = session
        self.readers = readers
        self.questioner = Questioner(self.chance, session.room, session.history)
        self.asked: list[Question] = []

    async def take(self, step: Step) -> None:
        """Carry out a step, with questions after it, and every other time with questions beside it."""
        questions = [self._question() for _ in range(ASKED_AFTER_EACH)]
        match step:
            case Withdraw(place=place):
                await self._withdraw(place)
            case Skip():
                await self.session.store.commands.handle(SkipEvent(projection="posts", position=1))
            case TakeLease():
                await self._take_lease()
            case Rebuild():
                await self._rebuild()
            case ToTheTurn(by=by):
                turns = [turn for reader in self.readers for turn in reader.turns]
                self.session.clock.time = self.chance.choice(turns or [self.session.clock.time]) + by
            case _ if isinstance(step, ClockMoves) or self.chance.random() < 0.5:
                await self.session.do(step)
            case _:
                beside = [self._question() for _ in range(4)]
                await asyncio.gather(self.session.do(step), *(self._ask(one) for one in beside))
        await self.session.take_note()
        for question in questions:
            await self._ask(question)

    async def _ask(self, question: Question) -> None:
        self.session.seen[question.name] += 1
        self.session.seen[question.viewer] += 1
        await self.chance.choice(self.readers).ask(question)

    def _question(self) -> Question:
        if self.asked and self.chance.random() < ASKED_AGAIN:
            return self.chance.choice(self.asked[-40:])
        self.asked.append(self.questioner.question())
        return self.asked[-1]

    async def _withdraw(self, place: float) -> None:
        store, history = self.session.store, self.session.history
        able = [one.position for one in history if one.header.type not in NEVER_WITHDRAWN]
        request = CommandRequest(reason="by law")
        gone = able[min(int(place * len(able)), len(able) - 1)]
        at = await withdraw_payload(
            store.log, event_codec(), store.clock, SeededBytes(str(gone)), gone, request
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
                await asyncio.gather(*(self._ask(self._question()) for _ in range(3)))
                await asyncio.sleep(0.01)


async def spend(data: Path, steps: Sequence[Step], seed: int, seen: Counter[str]) -> None:
    """Take the steps, and count how many answers were hits."""
    engine = Executor(graphql_schema())
    async with (
        Session(data, clock=StandingClock(), seen=seen) as session,
        open_store(data, clock=session.clock) as second,
    ):
        await session.begin()
        readers = [Reader(store, CachedExecutor(engine), engine) for store in (session.store, second)]
        newspaper = Newspaper(session, readers, seed)
        for step in steps:
            await newspaper.take(step)
        for reader in readers:
            seen["hits"] += reader.answers.counts.hits
            seen["not hits"] += reader.answers.counts.executed + reader.answers.counts.shared


def test_a_kept_answer_is_the_one_that_is_true_whatever_is_written_and_asked() -> None:
    seen: Counter[str] = Counter()

    @settings(
        max_examples=EXAMPLES // 3, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck)
    )
    @example(DAY_OF_TWO, 1)
    @example(DAY_OF_TWO, 2)
    @given(steps, st.integers(0, 2**32))
    def holds(wanted: list[Step], seed: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(spend(Path(folder) / "data", wanted, seed, seen))

    holds()
    print({name: seen[name] for name in ("hits", "not hits", *DOCUMENTS)})  # noqa: T201
    assert {kind.__name__ for kind in KINDS} <= seen.keys()
    assert {*DOCUMENTS, *VIEWERS} <= seen.keys()
    assert {name for name, *_ in EVENT_TYPES} <= seen.keys()
    assert seen["hits"] >= seen["not hits"]
