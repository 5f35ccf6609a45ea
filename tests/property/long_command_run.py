"""A thousand commands on a log, one after another, and all that is to be seen of them: the same for the same seed.

Nothing in it depends on the machine's clock, on chance, or on how the log's engine is made.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, ClassVar, Final

from ledgerpress.commands.command_and_guard_declarations import Command
from ledgerpress.commands.command_request_and_context import CommandContext, CommandRequest, CommandResult
from ledgerpress.commands.errors import Rejection
from ledgerpress.commands.skip_event import SkipEvent
from ledgerpress.commands.streams_and_append_plan import AppendPlan
from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.envelope import SealedPayload
from ledgerpress.eventlog.errors import DuplicateEvent, EventLogError, WrongExpectedVersion
from ledgerpress.eventlog.leases import Fence, LeaseLost, Leases
from ledgerpress.eventlog.log import OpenedLog, StreamWrite
from ledgerpress.features.integrity.merkle_tree_projection import tree_head
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost, EditPost
from ledgerpress.features.registry import event_codec, graphql_schema
from ledgerpress.graphql.executor import Executor
from ledgerpress.operator.verify import verify_log
from ledgerpress.operator.withdraw import NEVER_WITHDRAWN, withdraw_payload
from ledgerpress.server.log_factory import open_log
from ledgerpress.server.log_url import LogUrl
from tests.contract.sample_events import sample_event
from tests.fixed_sources import SeededBytes, StandingClock
from tests.property.command_generator import Ask, random_ask
from tests.property.day_scenario import WHOLE_DAY
from tests.property.narrow_queries import Questioner
from tests.property.store_session import Session
from tests.property.view_rows import Rows, rows_of, views_in_use

COMMANDS: Final = 1_000
QUESTIONS: Final = 20
SECOND: Final = 1_000_000


@dataclass
class Told:
    """What there is to be seen of the commands: all that two engines have to agree about."""

    outcomes: list[str] = field(default_factory=list)
    answers: list[tuple[str, Any]] = field(default_factory=list)
    events: list[tuple[bytes, SealedPayload | None]] = field(default_factory=list)
    roots: list[tuple[int, str]] = field(default_factory=list)
    rows: Rows = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Overtaken:
    """A use case that another comes before once, after it was planned and before it is recorded."""

    command: Command
    rival: Callable[[], Any] = field(compare=False)

    fingerprint_name: ClassVar[str] = "Overtaken"
    lock_key = None

    async def plan(self, context: CommandContext) -> AppendPlan:
        """Return the plan, by now for a version that has passed."""
        plan = await self.command.plan(context)
        await self.rival()
        return plan


class Thousand(Session):
    """A session that keeps what came of each command."""

    told: Told

    async def ask(self, ask: Ask) -> None:
        """Carry out one command, and a second time where it is said twice."""
        # What it should come to is tested elsewhere, for newsrooms of which nothing was withdrawn.
        for _ in range(2 if ask.twice else 1):
            await self._say(ask, *self._command(ask))

    async def _say(self, ask: Ask, command: Command, request: CommandRequest) -> CommandResult | Rejection:
        answer = await super()._say(ask, command, request)
        self.told.outcomes.append(shown(answer))
        return answer


def shown(answer: object) -> str:
    """An outcome, a refusal or an error, with all its facts."""
    return f"{type(answer).__name__}: {answer} {vars(answer) if isinstance(answer, Exception) else ''}"


class Run:
    """The commands on the log at one URL."""

    def __init__(self, session: Thousand, other: OpenedLog, seed: int) -> None:
        self.session = session
        self.other = other
        self.chance = Random(seed)
        self.questioner = Questioner(Random(seed + 1), session.room, session.history)
        self.engine = Executor(graphql_schema())
        self.fence: Fence | None = None

    @property
    def outcomes(self) -> list[str]:
        return self.session.told.outcomes

    async def happen(self) -> None:
        """Let everything happen, and ask about it on the way."""
        session, chance = self.session, self.chance
        await session.begin()
        day = [one for action in WHOLE_DAY for one in (action if isinstance(action, tuple) else [action])]
        asks = [one for one in day if isinstance(one, Ask)]
        special = (self.lease, self.conflict, self.refused, self.withdraw, self.skip, self.restart, self.ask)
        turn = 0
        while len(self.outcomes) < COMMANDS:
            session.clock.time += chance.choice((0, 1, SECOND, 90 * SECOND, 3_600 * SECOND, -60 * SECOND))
            await session.do(asks.pop(0) if asks else random_ask(chance))
            turn += 1
            if turn % 10 == 0:
                await special[turn // 10 % len(special)]()
                await session.take_note()
        await self.ask()

    async def said(self, command: Command, request: CommandRequest | None = None) -> CommandResult | None:
        try:
            outcome = await self.session.store.commands.handle(command, request)
        except (Rejection, LeaseLost) as refusal:
            self.outcomes.append(shown(refusal))
            return None
        self.outcomes.append(shown(outcome))
        return outcome

    async def lease(self) -> None:
        """Take a lease on another node, carry out something under it, and something under the one before."""
        former = self.fence
        codec, clock = event_codec(), self.session.clock
        leases = Leases(self.other, codec, clock, self.session.randomness, node=f"node-{len(self.outcomes)}")
        async with leases.hold("schedules") as self.fence:
            await self.said(CreatePost(title="By the clock"), CommandRequest(fence=self.fence))
            if former:
                await self.said(CreatePost(title="Too late"), CommandRequest(fence=former))

    async def conflict(self) -> None:
        """Let one edit come before another that was planned already; then let one be overtaken again and again."""
        post_id = next(iter(self.session.room.posts))

        for most in (1, 9):
            rivals = iter(
                [EditPost(post_id=post_id, body=f"{n} of {len(self.outcomes)}") for n in range(most)]
            )

            async def rival(rivals: Any = rivals) -> None:
                if edit := next(rivals, None):
                    await self.said(edit)

            # In a plan of its own: commands on one stream otherwise take turns.
            await self.said(Overtaken(EditPost(post_id=post_id, title=f"Overtaken {most}"), rival))

    async def refused(self) -> None:
        """Append what the log itself has to refuse."""
        chance, history = self.chance, self.session.history
        known = chance.choice(history).header
        for write in (
            StreamWrite(
                known.stream, known.stream_version + chance.choice((-1, 1_000)), (sample_event("stale"),)
            ),
            StreamWrite("log", 1, (sample_event("known"), sample_event("known"))),
        ):
            with suppress(WrongExpectedVersion, DuplicateEvent):
                try:
                    await self.session.store.log.append([write])
                except EventLogError as error:
                    self.outcomes.append(shown(error))
                    raise

    async def withdraw(self) -> None:
        """Withdraw one of the payloads."""
        store, history = self.session.store, self.session.history
        gone = self.chance.choice([one.position for one in history if one.header.type not in NEVER_WITHDRAWN])
        request = CommandRequest(reason="by law")
        at = await withdraw_payload(
            store.log, event_codec(), store.clock, self.session.randomness, gone, request
        )
        self.outcomes.append(f"withdrawn: {gone} at {at}")
        assert await store.views.wait_for(await store.log.head(), 30)

    async def skip(self) -> None:
        """Let a projection do without an event, should it fail at it."""
        await self.said(SkipEvent(projection="posts", position=self.chance.randrange(1, 50)))

    async def restart(self) -> None:
        """Go on in another process, perhaps with views that are made anew."""
        await self.session.restart(batch_size=50, lose_views=self.chance.random() < 0.5)

    async def ask(self) -> None:
        """Ask about anything, as anyone, as of any moment."""
        for _ in range(QUESTIONS):
            question = self.questioner.question()
            answer = await self.engine.execute_document(self.session.store, **question.asked)
            self.session.told.answers.append((repr(question), (answer.position, answer.body)))


async def happen_at(url: str, data: Path, seed: int) -> Told:
    """Carry out the commands on the log at `url`, where there is none yet, and return all that is to be seen of them."""
    publication = uuid8("thousand commands", seed)
    other = await open_log(LogUrl.parse(url), data, create_as=lambda: publication)
    try:
        session = Thousand(data, clock=StandingClock(), randomness=SeededBytes(f"{seed}"), log=url)
        session.told = told = Told()
        async with session:
            run = Run(session, other, seed)
            await run.happen()
            log = session.store.log
            while batch := await log.read(len(told.events), 500):
                told.events += [(stored.header.leaf(), stored.payload) for stored in batch]
            with session.store.snapshot() as snapshot:
                head = tree_head(snapshot, log.publication)
            told.roots.append((head.size, head.root))
        told.rows = rows_of(views_in_use(data))
        checked = await verify_log(data, log=url)
        assert checked.finding is None, checked.finding
        told.roots.append((checked.head.size, checked.head.root))
        told.seen = set(session.seen)
        return told
    finally:
        await other.aclose()
