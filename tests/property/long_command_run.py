"""Run a thousand commands on a log, one after another, and record everything observable: the same for the same seed.

Nothing depends on the machine's clock, on chance, or on the engine of the log.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, ClassVar, Final

from ledgerpress.commands.command_and_guard_declarations import Command
from ledgerpress.commands.command_request_and_context import CommandContext, CommandRequest, CommandResult
from ledgerpress.commands.confirm_and_correct_clock import ConfirmClock, CorrectClock
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
from tests.property.command_generator import CommandSpec, random_command_spec
from tests.property.day_scenario import WHOLE_DAY
from tests.property.narrow_queries import QueryGenerator
from tests.property.store_session import Session
from tests.property.view_rows import Rows, rows_of, views_in_use

COMMANDS: Final = 1_000
QUERIES: Final = 20
SECOND: Final = 1_000_000


@dataclass
class RunRecord:
    """Everything observable of the commands; it must be the same on any two engines."""

    outcomes: list[str] = field(default_factory=list)
    responses: list[tuple[str, Any]] = field(default_factory=list)
    events: list[tuple[bytes, SealedPayload | None]] = field(default_factory=list)
    roots: list[tuple[int, str]] = field(default_factory=list)
    rows: Rows = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Overtaken:
    """A command that another command overtakes between its plan and its append."""

    command: Command
    rival: Callable[[], Any] = field(compare=False)

    fingerprint_name: ClassVar[str] = "Overtaken"
    lock_key = None

    async def plan(self, context: CommandContext) -> AppendPlan:
        """Return the plan, whose expected version is outdated by then."""
        plan = await self.command.plan(context)
        await self.rival()
        return plan


class RecordingSession(Session):
    """A session that records the outcome of each command."""

    record: RunRecord

    async def run(self, spec: CommandSpec) -> None:
        """Run one command, or twice if `spec.twice`."""
        # Other tests check the outcome, for newsrooms without withdrawals.
        for _ in range(2 if spec.twice else 1):
            await self._handle(spec, *self._command(spec))

    async def _handle(
        self, spec: CommandSpec, command: Command, request: CommandRequest
    ) -> CommandResult | Rejection:
        result = await super()._handle(spec, command, request)
        self.record.outcomes.append(shown(result))
        return result


def shown(result: object) -> str:
    """Return a result, a rejection or an error as text, with all its fields."""
    return f"{type(result).__name__}: {result} {vars(result) if isinstance(result, Exception) else ''}"


class Run:
    """A run of the commands on the log at one URL."""

    def __init__(self, session: RecordingSession, other: OpenedLog, seed: int) -> None:
        self.session = session
        self.other = other
        self.chance = Random(seed)
        self.query_generator = QueryGenerator(Random(seed + 1), session.room, session.history)
        self.engine = Executor(graphql_schema())
        self.fence: Fence | None = None

    @property
    def outcomes(self) -> list[str]:
        return self.session.record.outcomes

    async def run(self) -> None:
        """Run all commands, with queries and other operations in between."""
        session, chance = self.session, self.chance
        await session.begin()
        day = [spec for action in WHOLE_DAY for spec in (action if isinstance(action, tuple) else [action])]
        specs = [spec for spec in day if isinstance(spec, CommandSpec)]
        special = (
            self.lease,
            self.conflict,
            self.rejected_appends,
            self.withdraw,
            self.skip,
            self.clock,
            self.restart,
            self.query,
        )
        turn = 0
        while len(self.outcomes) < COMMANDS:
            session.clock.time += chance.choice((0, 1, SECOND, 90 * SECOND, 3_600 * SECOND, -60 * SECOND))
            await session.do(specs.pop(0) if specs else random_command_spec(chance))
            turn += 1
            if turn % 10 == 0:
                await special[turn // 10 % len(special)]()
                await session.read_new_events()
        await self.query()

    async def handle(self, command: Command, request: CommandRequest | None = None) -> CommandResult | None:
        try:
            outcome = await self.session.store.commands.handle(command, request)
        except (Rejection, LeaseLost) as rejection:
            self.outcomes.append(shown(rejection))
            return None
        self.outcomes.append(shown(outcome))
        return outcome

    async def lease(self) -> None:
        """Take a lease on another node, run a command under it, and one under the former lease."""
        former = self.fence
        codec, clock = event_codec(), self.session.clock
        leases = Leases(self.other, codec, clock, self.session.randomness, node=f"node-{len(self.outcomes)}")
        async with leases.hold("schedules") as self.fence:
            await self.handle(CreatePost(title="By the clock"), CommandRequest(fence=self.fence))
            if former:
                await self.handle(CreatePost(title="Too late"), CommandRequest(fence=former))

    async def conflict(self) -> None:
        """Run an edit that another edit overtakes once, then an edit that others overtake repeatedly."""
        post_id = next(iter(self.session.room.posts))

        for most in (1, 9):
            rivals = iter(
                [EditPost(post_id=post_id, body=f"{n} of {len(self.outcomes)}") for n in range(most)]
            )

            async def rival(rivals: Any = rivals) -> None:
                if edit := next(rivals, None):
                    await self.handle(edit)

            # `Overtaken` has no lock key: other commands on one stream wait for each other.
            await self.handle(Overtaken(EditPost(post_id=post_id, title=f"Overtaken {most}"), rival))

    async def rejected_appends(self) -> None:
        """Append events that the log itself must reject."""
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
        position = self.chance.choice(
            [recorded.position for recorded in history if recorded.header.type not in NEVER_WITHDRAWN]
        )
        request = CommandRequest(reason="by law")
        at = await withdraw_payload(
            store.log, event_codec(), store.clock, self.session.randomness, position, request
        )
        self.outcomes.append(f"withdrawn: {position} at {at}")
        assert await store.views.wait_for(await store.log.head(), 30)

    async def skip(self) -> None:
        """Record that a projection may skip an event."""
        await self.handle(SkipEvent(projection="posts", position=self.chance.randrange(1, 50)))

    async def clock(self) -> None:
        """Confirm the clock, and correct the recorded times of some events."""
        first, last = sorted(self.chance.choices(range(1, len(self.session.history)), k=2))
        await self.handle(ConfirmClock(last_recorded_time=self.session.clock.time))
        shift = self.chance.choice((-86_400, -60, 0, 7_200)) * SECOND
        command = CorrectClock(first_position=first, last_position=last, shift=shift)
        await self.handle(command, CommandRequest(reason="The clock was wrong."))

    async def restart(self) -> None:
        """Reopen the store, sometimes with rebuilt views."""
        await self.session.restart(batch_size=50, lose_views=self.chance.random() < 0.5)

    async def query(self) -> None:
        """Run random queries, as any client, as of any moment."""
        for _ in range(QUERIES):
            query = self.query_generator.query()
            response = await self.engine.execute_document(self.session.store, **query.arguments)
            self.session.record.responses.append((repr(query), (response.position, response.body)))


async def run_commands_at(url: str, data: Path, seed: int) -> RunRecord:
    """Create a log at `url`, run the commands on it, and return everything observable."""
    publication = uuid8("thousand commands", seed)
    other = await open_log(LogUrl.parse(url), data, create_as=lambda: publication)
    try:
        session = RecordingSession(data, clock=StandingClock(), randomness=SeededBytes(f"{seed}"), log=url)
        session.record = record = RunRecord()
        async with session:
            run = Run(session, other, seed)
            await run.run()
            log = session.store.log
            while batch := await log.read(len(record.events), 500):
                record.events += [(stored.header.leaf(), stored.payload) for stored in batch]
            with session.store.snapshot() as snapshot:
                head = tree_head(snapshot, log.publication)
            record.roots.append((head.size, head.root))
        record.rows = rows_of(views_in_use(data))
        report = await verify_log(data, log=url)
        assert report.finding is None, report.finding
        record.roots.append((report.head.size, report.head.root))
        record.seen = set(session.counts)
        return record
    finally:
        await other.aclose()
