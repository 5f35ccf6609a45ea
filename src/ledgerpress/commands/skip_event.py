"""The command by which an operator lets a projection skip an event that it cannot apply."""

from dataclasses import dataclass
from typing import ClassVar, Final

from ledgerpress.commands.command_and_guard_declarations import commands
from ledgerpress.commands.command_request_and_context import CommandContext
from ledgerpress.commands.roles_and_permissions import WRITE_OPERATIONS, RequiredPermission
from ledgerpress.commands.streams_and_append_plan import AppendPlan, StreamCategory
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.kernel_events import ProjectionSkipped, projection_stream


def _evolve(skipped: frozenset[int], event: Event) -> frozenset[int]:
    return skipped | {event.position} if isinstance(event, ProjectionSkipped) else skipped


SKIPS: Final = StreamCategory[frozenset[int]]("projection", frozenset(), _evolve)
"""For each projection, the positions of the events that it may skip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipEvent:
    """Let a projection skip the event at `position`. The caller checks that the projection fails at that event."""

    fingerprint_name: ClassVar[str] = "SkipEvent"

    projection: str
    position: int

    @property
    def lock_key(self) -> str | None:
        """The name of the projection's stream."""
        return projection_stream(self.projection)

    async def plan(self, context: CommandContext) -> AppendPlan:
        skips = await context.load(SKIPS, self.projection)
        context.check_version(skips.version)
        if self.position in skips.state:
            return AppendPlan(self.projection)
        event = ProjectionSkipped(projection=self.projection, position=self.position)
        return AppendPlan.of(self.projection, skips.write([event]))


LOG_COMMANDS: Final = commands(RequiredPermission(WRITE_OPERATIONS), SkipEvent)
