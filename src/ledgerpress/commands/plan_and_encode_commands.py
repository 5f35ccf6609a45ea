"""Plan the commands of one append, and encode their events.

Each command is decided on the states after the commands before it, as if they were recorded already.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ledgerpress.commands.command_and_guard_declarations import Command, CommandDeclarations
from ledgerpress.commands.command_request_and_context import CommandContext, CommandRequest, CommandViews
from ledgerpress.commands.errors import Rejection, unreadable_event
from ledgerpress.commands.executed_commands_view import check_subject
from ledgerpress.commands.roles_and_permissions import PermissionDenied
from ledgerpress.commands.streams_and_append_plan import (
    AppendPlan,
    PlannedWrite,
    StateLoader,
    StatesAfterPlans,
)
from ledgerpress.eventlog.clock_randomness_ids import Randomness, uuid8
from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.envelope import SALT_BYTES, NewEvent
from ledgerpress.eventlog.errors import UndecodableEvent, WrongExpectedVersion
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.log import StreamWrite
from ledgerpress.eventlog.unknown_third_party_events import THIRD_PARTY


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """A command that is being executed, and the values that each of its events records."""

    id: str
    command: Command
    request: CommandRequest
    fingerprint: str
    reason: str | None
    idempotency_key: str | None


class PlannedCommand(NamedTuple):
    """The writes of a command twice: with events as they will be read, and with encoded events.

    There are no writes if the command has nothing to do. `subject_id` is the id of the object that it changes.
    """

    subject_id: str
    planned: Sequence[PlannedWrite]
    encoded: Sequence[StreamWrite]
    event_count: int


def joined_writes(commands: Sequence[PlannedCommand]) -> Sequence[StreamWrite]:
    """Return the writes of one append, with the events of each command after those of the commands before it.

    Raises `WrongExpectedVersion` if a command was planned on another version than the one after those commands.
    """
    if len(commands) == 1:
        return commands[0].encoded
    versions: dict[str, int] = {}
    writes = []
    for write in (write for command in commands for write in command.encoded):
        version = versions.setdefault(write.stream, write.expected)
        if write.expected != version:
            raise WrongExpectedVersion(stream=write.stream, expected=write.expected, actual=version)
        if write.events:
            versions[write.stream] = version + len(write.events)
            writes.append(write)
    written = {write.stream for write in writes}
    return [
        *writes,
        *(StreamWrite(stream, version, ()) for stream, version in versions.items() if stream not in written),
    ]


class CommandPlanner:
    """A planner of commands."""

    def __init__(
        self,
        *,
        codec: Codec[Event],
        declarations: CommandDeclarations,
        views: CommandViews,
        randomness: Randomness,
        name_key: bytes,
        states: StateLoader,
        catch_up: Callable[[str], Awaitable[None]],
        begin: Callable[[], Awaitable[None]],
    ) -> None:
        """`begin` is awaited before each command of an append except the first, so that queries are not held up."""
        self._codec = codec
        self._declarations = declarations
        self._views = views
        self._randomness = randomness
        self._name_key = name_key
        self._states = states
        self._catch_up = catch_up
        self._begin = begin

    async def plan_all(self, executions: Sequence[Execution], now: int) -> list[PlannedCommand]:
        """Plan commands that are recorded in one append. Raises `Rejection`, `PermissionDenied` or a conflict.

        The rejection of a command has its index.
        """
        if len(executions) == 1:
            states: StateLoader = self._states
        else:
            states = StatesAfterPlans(self._states)
        commands: list[PlannedCommand] = []
        for index, execution in enumerate(executions):
            if index:
                await self._begin()
            try:
                command = await self._planned(execution, now, states)
            except Rejection as rejection:
                rejection.command_index = index
                raise
            if isinstance(states, StatesAfterPlans):
                states.add(command.planned, execution.request.actor_id)
            commands.append(command)
        return commands

    async def subject_id(self, execution: Execution, now: int) -> str:
        """Return the id of the object that a command would change now; empty if the command would be rejected."""
        try:
            return (await execution.command.plan(self._context(execution, now, self._states))).subject_id
        except (Rejection, PermissionDenied, UndecodableEvent):
            return ""

    async def _planned(self, execution: Execution, now: int, states: StateLoader) -> PlannedCommand:
        try:
            return self._encoded(await self._plan(execution, now, states), execution, now)
        except UndecodableEvent as error:
            raise unreadable_event(error) from error

    async def _plan(self, execution: Execution, now: int, states: StateLoader) -> AppendPlan:
        """Return the command's plan with the events that features add, after their guards have checked it."""
        command, declarations = execution.command, self._declarations
        await declarations.check_owner(command, execution.request.identity, states)
        context = self._context(execution, now, states)
        plan = await command.plan(context)
        context.check_used()
        declarations.check_events(type(command), self._types(plan.writes))
        for added in reversed(declarations.adds):
            is_named = context.request.actor_name is not None
            if isinstance(command, added.commands) and (is_named or not added.for_named_actor):
                writes = await added.add(command, plan, context)
                declarations.check_events(added, self._types(writes))
                plan = plan.adding(writes)
        if not plan.writes:
            return plan
        for guard in declarations.guards:
            if guard.applies(command, plan):
                context = self._context(execution, now, states).for_guard()
                guard.check(command, plan.events, await guard.load(command, plan, context))
                plan = plan.checking(context.loaded.items())
        return plan

    def _types(self, writes: Sequence[PlannedWrite]) -> Iterator[str]:
        """Yield the types of the events lazily: commands of first-party features do not need them."""
        return (self._codec.name_of(event)[0] for write in writes for event in write.events)

    def _context(self, execution: Execution, now: int, states: StateLoader) -> CommandContext:
        return CommandContext(
            states=states,
            views=self._views,
            name_key=self._name_key,
            command_id=execution.id,
            request=execution.request,
            now=now,
            content=self._declarations.content,
            roles=self._declarations.roles,
            catch_up=self._catch_up,
        )

    def _encoded(self, plan: AppendPlan, execution: Execution, now: int) -> PlannedCommand:
        """Return the writes of a plan as they will be read, and encoded.

        Raises `ValueError` if a third-party feature records an event in a stream that is not declared, if the plan's
        `subject_id` does not match its first event, or if an event could not be read.
        """
        index = 0
        planned, writes = [], []
        for write in plan.writes:
            events, encoded = [], []
            for event in write.events:
                new = self._new_event(event, execution, index, now)
                if new.type.startswith(THIRD_PARTY):
                    self._declarations.check_stream(new.type, write.stream)
                    if not index:
                        check_subject(plan.subject_id, new.type, write.stream)
                events.append(self._codec.as_read(event, new.payload))
                encoded.append(new)
                index += 1
            planned.append(PlannedWrite(write.stream, write.expected, events))
            writes.append(StreamWrite(write.stream, write.expected, tuple(encoded)))
        return PlannedCommand(plan.subject_id, planned, writes, event_count=index)

    def _new_event(self, event: Event, execution: Execution, index: int, now: int) -> NewEvent:
        name, version = self._codec.name_of(event)
        request = execution.request
        return NewEvent(
            event_id=uuid8(execution.id, index),
            type=name,
            schema_version=version,
            recorded_at=now,
            actor_id=request.actor_id,
            on_behalf_of_actor_id=request.on_behalf_of_actor_id,
            command_id=execution.id,
            correlation_id=request.correlation_id or execution.id,
            causation_id=request.causation_id,
            payload=self._codec.encode(
                event,
                salt=self._randomness.bytes(SALT_BYTES),
                reason=execution.reason,
                idempotency_key=execution.idempotency_key,
                trace_id=request.trace_id,
                fingerprint=execution.fingerprint,
            ),
        )
