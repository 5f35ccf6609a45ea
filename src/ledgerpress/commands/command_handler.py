"""Execute commands: load, decide, append, wait for the views.

After a conflict with another process, a command is decided again, up to three times. If the client expects a version,
the command is rejected instead. A command that is rejected or has nothing to do records nothing.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol
from weakref import WeakValueDictionary

from ledgerpress.commands.client_identity import Identity
from ledgerpress.commands.command_and_guard_declarations import Command, CommandDeclarations
from ledgerpress.commands.command_pacing import CommandPacing
from ledgerpress.commands.command_request_and_context import (
    CommandContext,
    CommandRequest,
    CommandResult,
    CommandViews,
)
from ledgerpress.commands.errors import ErrorCode, Rejection, unreadable_event
from ledgerpress.commands.executed_commands_view import PreviousResult, check_subject, previous_result
from ledgerpress.commands.fingerprint import fingerprint
from ledgerpress.commands.roles_and_permissions import PermissionDenied, RequiredPermission
from ledgerpress.commands.streams_and_append_plan import AppendPlan, PlannedWrite, StateLoader
from ledgerpress.eventlog.clock_randomness_ids import Clock, Randomness, uuid7, uuid8
from ledgerpress.eventlog.codec import Codec, Recorded
from ledgerpress.eventlog.envelope import SALT_BYTES, NewEvent
from ledgerpress.eventlog.errors import (
    DuplicateEvent,
    PayloadTooLarge,
    UndecodableEvent,
    WrongExpectedVersion,
)
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.log import EventLog, StreamWrite
from ledgerpress.eventlog.unknown_third_party_events import THIRD_PARTY

MAX_ATTEMPTS: Final = 4
"""A command is decided once, and up to three more times after conflicts."""

MAX_RETRY_DELAY: Final = 0.1
"""The longest delay before the first retry, in seconds. It doubles with each further retry."""


class Instrumentation(Protocol):
    """A receiver of measurements for traces and metrics."""

    def span(self, name: str) -> AbstractContextManager[object]:
        """Measure the time inside the context. `name` is one of a few names, and contains no input."""
        ...

    def appended(self, events: int) -> None:
        """Count recorded events."""
        ...


class _NoInstrumentation:
    """Instrumentation that discards all measurements."""

    def span(self, name: str) -> AbstractContextManager[object]:
        return _NO_SPAN

    def appended(self, events: int) -> None:
        pass


_NO_SPAN: Final = nullcontext()
NO_INSTRUMENTATION: Final[Instrumentation] = _NoInstrumentation()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Execution:
    """A command that is being executed, and the values that each of its events records."""

    id: str
    command: Command
    request: CommandRequest
    fingerprint: str
    reason: str | None
    idempotency_key: str | None


class CommandHandler:
    """A handler that executes commands on the log of one publication."""

    def __init__(
        self,
        *,
        log: EventLog,
        codec: Codec[Event],
        declarations: CommandDeclarations,
        views: CommandViews,
        clock: Clock,
        randomness: Randomness,
        name_key: bytes,
        timeout: float = 5.0,
        observer: Instrumentation = NO_INSTRUMENTATION,
        hand_over: Callable[[Callable[[], Sequence[Recorded[Event]]]], None] | None = None,
    ) -> None:
        """Create a handler. `timeout` limits each wait for the views, in seconds.

        `hand_over` gets a function that returns the recorded events of a command. It MUST be `None` if an append to the log can succeed
        although the log was replaced.
        """
        self._log = log
        self._codec = codec
        self._declarations = declarations
        self._views = views
        self._clock = clock
        self._randomness = randomness
        self._name_key = name_key
        self._timeout = timeout
        self._observer = observer
        self._hand_over = hand_over
        self._states = StateLoader(log, codec)
        self._pacing = CommandPacing()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def clear_cache(self) -> None:
        """Remove everything that was cached from the log."""
        self._states.clear()

    async def handle(self, command: Command, request: CommandRequest | None = None) -> CommandResult:
        """Execute `command` and return its result. Raises `Rejection`, `PermissionDenied` or `LeaseLost`."""
        try:
            return await self._handle(command, request or CommandRequest())
        except UndecodableEvent as error:
            raise unreadable_event(error) from error

    async def _handle(self, command: Command, request: CommandRequest) -> CommandResult:
        await self._authorize(command, request.identity)
        for value in request.inputs:
            self._declarations.check_input(command, value)
        await self._pacing.begin()
        execution = self._begin(command, request)
        with self._observer.span(f"command {command.fingerprint_name}"):
            async with self._lock(command):
                subject_id, position, replayed = await self._execute(execution)
            with self._observer.span("wait for views"):
                reached = await self._views.wait_for(position, self._timeout)
        return CommandResult(subject_id, position, replayed, views_behind=not reached)

    async def _authorize(self, command: Command, identity: Identity) -> None:
        """Raise `PermissionDenied` if the user is not permitted to execute the command.

        A command that is not declared requires every permission. If the user may only work on their own objects and
        this is not one of them, raises `Rejection`, as if the object did not exist.
        """
        declaration = self._declarations.commands.get(type(command))
        required = declaration.required if declaration else RequiredPermission(None)
        if identity.actor_id is None:
            raise PermissionDenied(required.permission)
        if identity.meets(required, self._declarations.roles):
            return
        if declaration is None or declaration.check_own is None or not identity.meets_with_own(required):
            raise PermissionDenied(required.permission)
        await declaration.check_own(command, self._states, identity.actor_id)

    async def _execute(self, execution: _Execution) -> tuple[str, int, bool]:
        conflict: Exception | None = None
        for attempt in range(MAX_ATTEMPTS):
            if attempt and execution.request.expected_version is None:
                await asyncio.sleep(self._retry_delay(attempt))
            if previous := await self._previous_result(execution):
                return previous
            now = self._clock.now()
            try:
                with self._observer.span("decide"):
                    plan = await self._plan(execution, now)
            except Rejection:
                # The same command may have been executed in the meantime, here or in another process.
                if previous := await self._previous_result(execution):
                    return previous
                raise
            except WrongExpectedVersion as error:
                conflict = error
                continue
            if not plan.writes:
                previous = await self._previous_result(execution)
                return previous or (plan.subject_id, await self._log.head(), False)
            try:
                return plan.subject_id, await self._append(plan, execution, now), False
            except (WrongExpectedVersion, DuplicateEvent) as error:
                conflict = error
            except PayloadTooLarge as error:
                raise Rejection(ErrorCode.TOO_LONG, f"The command is too large: {error}.") from error
        raise Rejection(ErrorCode.BUSY, "Other users keep changing the same object. Try again.") from conflict

    async def _plan(self, execution: _Execution, now: int) -> AppendPlan:
        """Return the command's plan with the events that features add, after their guards have checked it."""
        command, declarations = execution.command, self._declarations
        context = self._context(execution, now)
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
                context = self._context(execution, now).for_guard()
                guard.check(command, plan.events, await guard.load(command, plan, context))
                plan = plan.checking(context.loaded.items())
        return plan

    def _types(self, writes: Sequence[PlannedWrite]) -> Iterator[str]:
        """Yield the types of the events lazily: commands of first-party features do not need them."""
        return (self._codec.name_of(event)[0] for write in writes for event in write.events)

    async def _append(self, plan: AppendPlan, execution: _Execution, now: int) -> int:
        """Record the events of a plan, and return the position of the last one."""
        planned, writes = self._encoded(plan, execution, now)
        fence = execution.request.fence
        with self._observer.span("append"):
            position = await (fence.append(self._log, writes) if fence else self._log.append(writes))
        self._observer.appended(sum(len(write.events) for write in writes))
        for write in planned:
            self._states.advance(write)
        if self._hand_over is not None and fence is None:
            self._hand_over(partial(self._recorded, planned, writes, position, execution))
        return position

    def _retry_delay(self, attempt: int) -> float:
        """Return the delay before a retry, in seconds. It is random, so that competing processes get out of step."""
        return int.from_bytes(self._randomness.bytes(2)) / 2**16 * MAX_RETRY_DELAY * 2.0 ** (attempt - 1)

    async def _previous_result(self, execution: _Execution) -> tuple[str, int, bool] | None:
        """Return the result of an earlier execution, which the idempotency key identifies; `None` if there is none."""
        if execution.idempotency_key is None:
            return None
        await self._catch_up("commands")
        with self._views.snapshot() as snapshot:
            previous = previous_result(snapshot, execution.id)
        if previous is None:
            return None
        if previous.fingerprint is None:
            if not execution.request.key_names_command:
                raise _unverifiable(previous)
        elif previous.fingerprint != execution.fingerprint:
            message = "This idempotency key was used for another command. Use a new key."
            raise Rejection(ErrorCode.IDEMPOTENCY_KEY_REUSED, message, field=("idempotencyKey",))
        return previous.subject_id, previous.last_position, True

    async def _catch_up(self, *names: str) -> None:
        if await self._views.wait_for(await self._log.head(), self._timeout, names):
            return
        for name, checkpoint in self._views.checkpoints.items():
            if name in names and checkpoint.is_paused:
                message = (
                    f"The projection {name} is paused at position {checkpoint.failed_at:,}, so it cannot be checked "
                    "whether this command is possible. Nothing was changed. An operator has to correct this: see "
                    "`ledgerpress status`."
                )
                raise Rejection(ErrorCode.VIEWS_PAUSED, message)
        raise Rejection(
            ErrorCode.BUSY, "The views are too far behind the log to decide this command. Try again."
        )

    def _begin(self, command: Command, request: CommandRequest) -> _Execution:
        key = request.checked_key()
        if key is None:
            command_id = uuid7(self._clock.now(), self._randomness.bytes(10))
        else:
            command_id = uuid8(self._log.publication, request.actor_id, key)
        return _Execution(
            id=command_id,
            command=command,
            request=request,
            fingerprint=fingerprint(command, request),
            reason=request.checked_reason(),
            idempotency_key=key,
        )

    def _lock(self, command: Command) -> AbstractAsyncContextManager[object]:
        """Return the lock of the command's key, so that commands of this process do not conflict with each other."""
        if (key := command.lock_key) is None:
            return nullcontext()
        return self._locks.setdefault(key, asyncio.Lock())

    def _context(self, execution: _Execution, now: int) -> CommandContext:
        return CommandContext(
            states=self._states,
            views=self._views,
            name_key=self._name_key,
            command_id=execution.id,
            request=execution.request,
            now=now,
            content=self._declarations.content,
            roles=self._declarations.roles,
            catch_up=self._catch_up,
        )

    def _encoded(
        self, plan: AppendPlan, execution: _Execution, now: int
    ) -> tuple[list[PlannedWrite], list[StreamWrite]]:
        """Return the writes of a plan twice: with events as they will be read, and with encoded events.

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
        return planned, writes

    def _recorded(
        self,
        planned: Sequence[PlannedWrite],
        writes: Sequence[StreamWrite],
        last_position: int,
        execution: _Execution,
    ) -> list[Recorded[Event]]:
        """Return the events of `planned` as the log returns them, decoded; they end at `last_position`."""
        position = last_position - sum(len(write.events) for write in writes)
        recorded = []
        for plan, write in zip(planned, writes, strict=True):
            for version, (event, new) in enumerate(
                zip(plan.events, write.events, strict=True), write.expected + 1
            ):
                position += 1
                recorded.append(
                    Recorded(
                        new.header(
                            publication=self._log.publication,
                            position=position,
                            stream=write.stream,
                            stream_version=version,
                        ),
                        event,
                        execution.reason,
                        execution.idempotency_key,
                        execution.request.trace_id,
                        execution.fingerprint,
                    )
                )
        return recorded

    def _new_event(self, event: Event, execution: _Execution, index: int, now: int) -> NewEvent:
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


def _unverifiable(previous: PreviousResult) -> Rejection:
    return Rejection(
        ErrorCode.IDEMPOTENCY_KEY_UNVERIFIABLE,
        f"A command with this idempotency key was executed up to position {previous.last_position:,}, but its content "
        "was withdrawn, so it cannot be compared with this command. Nothing was changed. If this is another command, "
        "use a new key.",
        field=("idempotencyKey",),
    )
