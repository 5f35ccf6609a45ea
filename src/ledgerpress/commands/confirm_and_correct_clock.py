"""The commands by which an operator confirms the clock, and corrects recorded times that a wrong clock has caused."""

from dataclasses import dataclass
from typing import ClassVar, Final

from ledgerpress.commands.command_and_guard_declarations import commands
from ledgerpress.commands.command_request_and_context import CommandContext
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.roles_and_permissions import WRITE_OPERATIONS, RequiredPermission
from ledgerpress.commands.streams_and_append_plan import AppendPlan, StreamCategory
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.kernel_events import CLOCK_STREAM, ClockConfirmed, ClockCorrected

_CORRECTIONS: Final = StreamCategory[ClockCorrected | None](
    CLOCK_STREAM, None, lambda last, event: event if isinstance(event, ClockCorrected) else last
)
"""The last correction of a clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmClock:
    """Record that the clock is right, although it is far ahead of the last recorded time."""

    fingerprint_name: ClassVar[str] = "ConfirmClock"

    last_recorded_time: int

    @property
    def lock_key(self) -> str | None:
        return CLOCK_STREAM

    async def plan(self, context: CommandContext) -> AppendPlan:
        corrections = await context.load(_CORRECTIONS)
        event = ClockConfirmed(last_recorded_time=self.last_recorded_time)
        return AppendPlan.of(CLOCK_STREAM, corrections.write([event]))


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectClock:
    """Record that the events from `first_position` to `last_position` were recorded with a wrong clock.

    Their correct times are `shift` microseconds later than recorded. The caller checks that these events exist, and that
    the correct times are possible.
    """

    fingerprint_name: ClassVar[str] = "CorrectClock"

    first_position: int
    last_position: int
    shift: int

    @property
    def lock_key(self) -> str | None:
        return CLOCK_STREAM

    async def plan(self, context: CommandContext) -> AppendPlan:
        """Return the correction, or nothing if it repeats the last one. Raises `Rejection` without a reason."""
        if context.request.checked_reason() is None:
            raise Rejection(ErrorCode.BLANK, "A correction of the clock needs a reason.", field=("reason",))
        if not 0 < self.first_position <= self.last_position:
            message = "The first position must be at least 1, and not after the last one."
            raise Rejection(ErrorCode.INVALID_VALUE, message, field=("firstPosition",))
        corrections = await context.load(_CORRECTIONS)
        event: Event = ClockCorrected(
            first_position=self.first_position, last_position=self.last_position, shift=self.shift
        )
        return AppendPlan.of(CLOCK_STREAM, corrections.write([] if event == corrections.state else [event]))


CLOCK_COMMANDS: Final = commands(RequiredPermission(WRITE_OPERATIONS), ConfirmClock, CorrectClock)
