"""The press: takes a use case and a request, and records what comes of it.

Load, decide, append, wait. A conflict with another process is decided again up to three times; a version that the
caller expects is then compared anew, and refused. Nothing is recorded of a command that is refused or has nothing
to do.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import Field, dataclass, fields
from typing import Any, ClassVar, Final, Protocol
from weakref import WeakValueDictionary

import msgspec

from ledgerpress.commands.authorization import authorize
from ledgerpress.commands.command_context import AppendPlan, CommandContext, CommandViews, PlannedWrite
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.instrumentation import NO_INSTRUMENTATION, Instrumentation
from ledgerpress.commands.request import CommandRequest, CommandResult
from ledgerpress.commands.state_loader import StateLoader, actor_stream
from ledgerpress.eventlog.clock import Clock
from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.envelope import SALT_BYTES, NewEvent
from ledgerpress.eventlog.errors import DuplicateEvent, PayloadTooLarge, WrongExpectedVersion
from ledgerpress.eventlog.event import Event
from ledgerpress.eventlog.ids import uuid7, uuid8
from ledgerpress.eventlog.leases.fencing import Fence
from ledgerpress.eventlog.log import EventLog, StreamWrite
from ledgerpress.eventlog.randomness import Randomness
from ledgerpress.features.actors import model as actors
from ledgerpress.features.actors.model import ActorKind

MAX_ATTEMPTS: Final = 4
"""A command is decided once, and again up to three times after a conflict."""

MAX_RETRY_DELAY: Final = 0.1
"""Seconds that a command waits at most before it is first decided anew; each further time at most twice as long."""


class Command(Protocol):
    """Something that a user of the store wants done: a dataclass whose fields are what the user gave."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    fingerprint_name: ClassVar[str]
    """The name in fingerprints and spans. Stored in the log: MUST never change, whatever the class is called."""

    @property
    def queue(self) -> str | None:
        """What such commands queue for, if anything: most often a stream."""
        ...

    async def plan(self, desk: CommandContext) -> AppendPlan:
        """Return what to record. Raises `Rejection`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _PendingCommand:
    """A request under way, and what each of its events will carry."""

    id: str
    request: CommandRequest
    fingerprint: str
    reason: str | None
    idempotency_key: str | None


class CommandHandler:
    """Carries out use cases on one publication's log."""

    def __init__(
        self,
        *,
        log: EventLog,
        codec: Codec[Event],
        views: CommandViews,
        clock: Clock,
        randomness: Randomness,
        name_key: bytes,
        patience: float = 5.0,
        observer: Instrumentation = NO_INSTRUMENTATION,
    ) -> None:
        """Take what it works with. `patience` bounds each wait for the views, in seconds."""
        self._log = log
        self._codec = codec
        self._views = views
        self._clock = clock
        self._randomness = randomness
        self._name_key = name_key
        self._patience = patience
        self._observer = observer
        self._streams = StateLoader(log, codec)
        self._queues: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def forget(self) -> None:
        """Keep nothing in memory of what was read from the log before now."""
        self._streams.forget()

    async def handle(self, use_case: Command, request: CommandRequest | None = None) -> CommandResult:
        """Carry out `use_case` and return what came of it. Raises `Rejection`, `NotPermitted`, and `LeaseLost`."""
        request = request or CommandRequest()
        await authorize(use_case, request.identity, self._streams)
        command = self._command(use_case, request)
        with self._observer.span(f"command {use_case.fingerprint_name}"):
            async with self._turn(use_case):
                subject_id, position, replayed = await self._carry_out(use_case, command)
            with self._observer.span("wait for views"):
                reached = await self._views.wait_for(position, self._patience)
        return CommandResult(subject_id, position, replayed, views_behind=not reached)

    async def _carry_out(self, use_case: Command, command: _PendingCommand) -> tuple[str, int, bool]:
        conflict: Exception | None = None
        for attempt in range(MAX_ATTEMPTS):
            if attempt and command.request.expected_version is None:
                await asyncio.sleep(self._pause(attempt))
            if carried := await self._carried(command):
                return carried
            now = self._clock.now()
            try:
                with self._observer.span("decide"):
                    plan = await self._introduced(await use_case.plan(self._desk(command, now)), command)
            except Rejection:
                # Perhaps because a copy of the command, here or in another process, was carried out meanwhile.
                if carried := await self._carried(command):
                    return carried
                raise
            if not plan.writes:
                return await self._carried(command) or (plan.subject_id, await self._log.head(), False)
            try:
                writes = self._sealed(plan, command, now)
                return plan.subject_id, await self._append(writes, command.request.fence), False
            except (WrongExpectedVersion, DuplicateEvent) as error:
                conflict = error
            except PayloadTooLarge as error:
                raise Rejection(ErrorCode.TOO_LONG, f"That is too much at once: {error}.") from error
        raise Rejection(ErrorCode.BUSY, "Others keep changing the same thing: try again.") from conflict

    async def _introduced(self, plan: AppendPlan, command: _PendingCommand) -> AppendPlan:
        """Return `plan` with the registration of who asks, where their name comes along and they are not known yet."""
        request = command.request
        if request.actor_name is None or not plan.writes:
            return plan
        stream = actor_stream(request.actor_id)
        version, actor = await self._streams.actor(request.actor_id)
        register = actors.RegisterActor(
            actor_id=request.actor_id, kind=ActorKind.HUMAN, name=request.actor_name
        )
        return AppendPlan.of(
            plan.subject_id, *plan.writes, PlannedWrite(stream, version, actors.decide(register, actor))
        )

    async def _append(self, writes: Sequence[StreamWrite], fence: Fence | None) -> int:
        with self._observer.span("append"):
            position = await (fence.append(self._log, writes) if fence else self._log.append(writes))
        self._observer.appended(sum(len(write.events) for write in writes))
        return position

    def _pause(self, attempt: int) -> float:
        """Return how long to wait before deciding again, in seconds: at random, so that rivals get out of step."""
        return int.from_bytes(self._randomness.bytes(2)) / 2**16 * MAX_RETRY_DELAY * 2.0 ** (attempt - 1)

    async def _carried(self, command: _PendingCommand) -> tuple[str, int, bool] | None:
        """Return what came of the command if it has been carried out, which only one with a key can have been."""
        if command.idempotency_key is None:
            return None
        await self._catch_up("commands")
        carried = self._views.carried(command.id)
        if carried is None:
            return None
        if carried.fingerprint not in {None, command.fingerprint}:
            message = "This idempotency key was used for another command."
            raise Rejection(ErrorCode.IDEMPOTENCY_KEY_REUSED, message, field=("idempotencyKey",))
        return carried.subject_id, carried.last_position, True

    async def _catch_up(self, *names: str) -> None:
        if not await self._views.wait_for(await self._log.head(), self._patience, names):
            raise Rejection(ErrorCode.BUSY, "The views are too far behind the log to decide this: try again.")

    def _command(self, use_case: Command, request: CommandRequest) -> _PendingCommand:
        key = request.checked_key()
        if key is None:
            command_id = uuid7(self._clock.now(), self._randomness.bytes(10))
        else:
            command_id = uuid8(self._log.publication, request.actor_id, key)
        return _PendingCommand(
            id=command_id,
            request=request,
            fingerprint=fingerprint(use_case, request),
            reason=request.checked_reason(),
            idempotency_key=key,
        )

    def _turn(self, use_case: Command) -> AbstractAsyncContextManager[object]:
        """Let commands on one stream wait for one another, so that none of this process gets in another's way."""
        if use_case.queue is None:
            return nullcontext()
        return self._queues.setdefault(use_case.queue, asyncio.Lock())

    def _desk(self, command: _PendingCommand, now: int) -> CommandContext:
        return CommandContext(
            streams=self._streams,
            views=self._views,
            name_key=self._name_key,
            command_id=command.id,
            expected_version=command.request.expected_version,
            now=now,
            catch_up=self._catch_up,
        )

    def _sealed(self, plan: AppendPlan, command: _PendingCommand, now: int) -> list[StreamWrite]:
        index = 0
        writes = []
        for write in plan.writes:
            events = []
            for event in write.events:
                events.append(self._new_event(event, command, index, now))
                index += 1
            writes.append(StreamWrite(write.stream, write.expected, tuple(events)))
        return writes

    def _new_event(self, event: Event, command: _PendingCommand, index: int, now: int) -> NewEvent:
        name, version = self._codec.name_of(event)
        request = command.request
        return NewEvent(
            event_id=uuid8(command.id, index),
            type=name,
            schema_version=version,
            recorded_at=now,
            actor_id=request.actor_id,
            on_behalf_of_actor_id=request.on_behalf_of_actor_id,
            command_id=command.id,
            correlation_id=request.correlation_id or command.id,
            causation_id=request.causation_id,
            payload=self._codec.encode(
                event,
                salt=self._randomness.bytes(SALT_BYTES),
                reason=command.reason,
                idempotency_key=command.idempotency_key,
                trace_id=request.trace_id,
                fingerprint=command.fingerprint,
            ),
        )


def fingerprint(use_case: Command, request: CommandRequest) -> str:
    """Return the SHA-256, in hex, of the command. Raises `Rejection` for text that is not Unicode.

    Fields with their default value are left out, so a command that is repeated after an upgrade, which added fields to
    its class, has the same fingerprint. Fields that are not compared are left out, too. The names of all other fields,
    and of those of nested classes, are part of it: they are stored names.
    """
    given = {
        field.name: value
        for field in fields(use_case)
        if field.compare and (value := getattr(use_case, field.name)) != field.default
    }
    asked = (use_case.fingerprint_name, given, request.reason, request.expected_version)
    try:
        return hashlib.sha256(msgspec.json.encode(asked, order="sorted")).hexdigest()
    except UnicodeEncodeError as error:
        raise Rejection(ErrorCode.INVALID_TEXT, "Some of the text is not Unicode.") from error
