"""Execute commands: load, decide, append, wait for the views.

After a conflict with another process, a command is decided again, up to three times. If the client expects a version,
the command is rejected instead. A command that is rejected or has nothing to do records nothing. Several commands can be
executed together, in one append.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
    nullcontext,
)
from dataclasses import replace
from functools import partial
from typing import Final, NamedTuple, Protocol
from weakref import WeakValueDictionary

from ledgerpress.commands.command_and_guard_declarations import Command, CommandDeclarations
from ledgerpress.commands.command_pacing import CommandPacing
from ledgerpress.commands.command_request_and_context import CommandRequest, CommandResult, CommandViews
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.executed_commands_view import PreviousResult, previous_result
from ledgerpress.commands.fingerprint import fingerprint, fingerprint_together
from ledgerpress.commands.plan_and_encode_commands import (
    CommandPlanner,
    Execution,
    PlannedCommand,
    joined_writes,
)
from ledgerpress.commands.streams_and_append_plan import StateLoader
from ledgerpress.eventlog.appended_events import appended_events
from ledgerpress.eventlog.clock_randomness_ids import Clock, Randomness, uuid7, uuid8
from ledgerpress.eventlog.codec import Codec, Recorded
from ledgerpress.eventlog.errors import DuplicateEvent, PayloadTooLarge, WrongExpectedVersion
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.leases import Fence
from ledgerpress.eventlog.log import EventLog, StreamWrite

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


class _Result(NamedTuple):
    subject_id: str
    position: int
    replayed: bool


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
        self._timeout = timeout
        self._observer = observer
        self._hand_over = hand_over
        self._states = StateLoader(log, codec)
        self._pacing = CommandPacing()
        self._planner = CommandPlanner(
            codec=codec,
            declarations=declarations,
            views=views,
            randomness=randomness,
            name_key=name_key,
            states=self._states,
            catch_up=self._catch_up,
            begin=self._pacing.begin,
        )
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def clear_cache(self) -> None:
        """Remove everything that was cached from the log."""
        self._states.clear()

    async def handle(
        self, command: Command, request: CommandRequest | None = None, *, wait_for_views: bool = True
    ) -> CommandResult:
        """Execute `command` and return its result. Raises `Rejection`, `PermissionDenied` or `LeaseLost`.

        Without `wait_for_views`, the views are behind in the result. Call `wait_for_views` afterwards.
        """
        request = request or CommandRequest()
        self._check(command, request)
        await self._pacing.begin()
        execution = self._begin(command, request)
        with self._observer.span(f"command {command.fingerprint_name}"):
            (result,) = await self._run([execution], wait_for_views=wait_for_views)
        return result

    async def handle_together(
        self, commands: Sequence[tuple[Command, CommandRequest]]
    ) -> Sequence[CommandResult]:
        """Execute commands in one append, and return their results: all of them are recorded or none.

        Each command is decided on the state after the commands before it, and its events follow theirs. A repetition is
        recognized if the requests have idempotency keys: all of them or none. Raises `PermissionDenied` or `Rejection`,
        which has the index of the rejected command.
        """
        if len({request.idempotency_key is None for _, request in commands}) != 1:
            raise ValueError(
                "either all commands that are executed together have an idempotency key, or none"
            )
        if any(request.fence for _, request in commands):
            raise ValueError("commands that are executed together cannot have a fence")
        for command, request in commands:
            self._check(command, request)
        await self._pacing.begin()
        executions = []
        for index, (command, request) in enumerate(commands):
            try:
                executions.append(self._begin(command, request))
            except Rejection as rejection:
                rejection.command_index = index
                raise
        together = fingerprint_together(execution.fingerprint for execution in executions)
        with self._observer.span("commands together"):
            return await self._run([replace(execution, fingerprint=together) for execution in executions])

    async def wait_for_views(self, position: int) -> bool:
        """Wait until the views have reached `position`; return whether they have."""
        with self._observer.span("wait for views"):
            return await self._views.wait_for(position, self._timeout)

    def _check(self, command: Command, request: CommandRequest) -> None:
        self._declarations.check_permission(command, request.identity)
        for value in request.inputs:
            self._declarations.check_input(command, value)

    async def _run(
        self, executions: Sequence[Execution], *, wait_for_views: bool = True
    ) -> list[CommandResult]:
        async with self._locks_of(executions):
            results = await self._execute(executions)
        reached = wait_for_views and await self.wait_for_views(max([result.position for result in results]))
        return [
            CommandResult(subject_id, position, replayed, views_behind=not reached)
            for subject_id, position, replayed in results
        ]

    async def _execute(self, executions: Sequence[Execution]) -> list[_Result]:
        conflict: Exception | None = None
        for attempt in range(MAX_ATTEMPTS):
            if attempt and all(execution.request.expected_version is None for execution in executions):
                await asyncio.sleep(self._retry_delay(attempt))
            if previous := await self._previous_results(executions):
                return previous
            try:
                with self._observer.span("decide"):
                    commands = await self._planner.plan_all(executions, self._clock.now())
                    writes = joined_writes(commands)
            except Rejection:
                # The same command may have been executed in the meantime, here or in another process.
                if previous := await self._previous_results(executions):
                    return previous
                raise
            except WrongExpectedVersion as error:
                conflict = error
                continue
            if not writes:
                if previous := await self._previous_results(executions):
                    return previous
                head = await self._log.head()
                return [_Result(command.subject_id, head, replayed=False) for command in commands]
            try:
                position = await self._append(commands, writes, executions[0].request.fence)
                return _results(commands, position)
            except (WrongExpectedVersion, DuplicateEvent) as error:
                conflict = error
            except PayloadTooLarge as error:
                raise Rejection(ErrorCode.TOO_LONG, f"The command is too large: {error}.") from error
        raise Rejection(ErrorCode.BUSY, "Other users keep changing the same object. Try again.") from conflict

    async def _append(
        self, commands: Sequence[PlannedCommand], writes: Sequence[StreamWrite], fence: Fence | None
    ) -> int:
        """Record the events of commands, and return the position of the last one."""
        count = sum([command.event_count for command in commands])
        limit = self._log.max_events
        if limit is not None and count > limit:
            message = (
                f"The request would record {count:,} events, but the log records at most {limit:,} at once. Nothing was "
                "changed. Send fewer commands in one request, or have them executed individually."
            )
            raise Rejection(ErrorCode.TOO_MANY_EVENTS, message)
        with self._observer.span("append"):
            position = await (fence.append(self._log, writes) if fence else self._log.append(writes))
        self._observer.appended(count)
        for command in commands:
            for write in command.planned:
                self._states.advance(write)
        if self._hand_over is not None and fence is None:
            self._hand_over(partial(appended_events, self._codec, self._log.publication, writes, position))
        return position

    def _retry_delay(self, attempt: int) -> float:
        """Return the delay before a retry, in seconds. It is random, so that competing processes get out of step."""
        return int.from_bytes(self._randomness.bytes(2)) / 2**16 * MAX_RETRY_DELAY * 2.0 ** (attempt - 1)

    async def _previous_results(self, executions: Sequence[Execution]) -> list[_Result] | None:
        """Return the results of an earlier execution, which the idempotency keys identify; `None` if there is none.

        Of commands that were executed together, those without an event had nothing to do.
        """
        if executions[0].idempotency_key is None:
            return None
        await self._catch_up("commands")
        with self._views.snapshot() as snapshot:
            previous = [previous_result(snapshot, execution.id) for execution in executions]
        recorded = [result for result in previous if result is not None]
        if not recorded:
            return None
        fingerprints = {result.fingerprint for result in recorded}
        if fingerprints == {None}:
            if not executions[0].request.key_names_command:
                raise _unverifiable(recorded[0])
        elif fingerprints - {None, executions[0].fingerprint}:
            message = "This idempotency key was used for another command. Use a new key."
            raise Rejection(ErrorCode.IDEMPOTENCY_KEY_REUSED, message, field=("idempotencyKey",))
        last, now = max([result.last_position for result in recorded]), self._clock.now()
        return [
            _Result(result.subject_id, result.last_position, replayed=True)
            if result is not None
            else _Result(await self._planner.subject_id(execution, now), last, replayed=True)
            for execution, result in zip(executions, previous, strict=True)
        ]

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

    def _begin(self, command: Command, request: CommandRequest) -> Execution:
        key = request.checked_key()
        if key is None:
            command_id = uuid7(self._clock.now(), self._randomness.bytes(10))
        else:
            command_id = uuid8(self._log.publication, request.actor_id, key)
        return Execution(
            id=command_id,
            command=command,
            request=request,
            fingerprint=fingerprint(command, request),
            reason=request.checked_reason(),
            idempotency_key=key,
        )

    def _locks_of(self, executions: Sequence[Execution]) -> AbstractAsyncContextManager[object]:
        """Return the locks of the commands' keys, so that commands of this process do not conflict with each other."""
        if len(executions) == 1:
            key = executions[0].command.lock_key
            return nullcontext() if key is None else self._locks.setdefault(key, asyncio.Lock())
        keys = {key for execution in executions if (key := execution.command.lock_key) is not None}
        return self._all_locks(sorted(keys))

    @asynccontextmanager
    async def _all_locks(self, keys: Sequence[str]) -> AsyncIterator[None]:
        """Take several locks. Everyone takes them in the same order, so no two wait for each other."""
        async with AsyncExitStack() as stack:
            for key in keys:
                await stack.enter_async_context(self._locks.setdefault(key, asyncio.Lock()))
            yield


def _results(commands: Sequence[PlannedCommand], position: int) -> list[_Result]:
    """Return the results of commands whose last event is at `position`; that is also the one of those without events."""
    if len(commands) == 1:
        return [_Result(commands[0].subject_id, position, replayed=False)]
    results: list[_Result] = []
    end = position - sum([command.event_count for command in commands])
    for command in commands:
        end += command.event_count
        results.append(_Result(command.subject_id, end if command.event_count else position, replayed=False))
    return results


def _unverifiable(previous: PreviousResult) -> Rejection:
    return Rejection(
        ErrorCode.IDEMPOTENCY_KEY_UNVERIFIABLE,
        f"A command with this idempotency key was executed up to position {previous.last_position:,}, but its content "
        "was withdrawn, so it cannot be compared with this command. Nothing was changed. If this is another command, "
        "use a new key.",
        field=("idempotencyKey",),
    )
