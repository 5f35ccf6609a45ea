"""What an operator can do about a projection that cannot take in an event."""

from dataclasses import dataclass
from typing import ClassVar

from ledgerpress.commands.command_context import AppendPlan, CommandContext, PlannedWrite
from ledgerpress.views.projection import skips as projections


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipEvent:
    """Let a projection do without the event at `position`. Whether it fails at that event is the caller's to know."""

    fingerprint_name: ClassVar[str] = "SkipEvent"

    projection: str
    position: int

    @property
    def queue(self) -> str | None:
        """The projection's stream."""
        return projections.stream_name(self.projection)

    async def plan(self, desk: CommandContext) -> AppendPlan:
        """Return what to record. Raises `Rejected`."""
        version, skips = await desk.streams.skips(self.projection)
        desk.check_version(version)
        command = projections.SkipEvent(projection=self.projection, position=self.position)
        events = projections.decide(command, skips)
        return AppendPlan.of(
            self.projection, PlannedWrite(projections.stream_name(self.projection), version, events)
        )
