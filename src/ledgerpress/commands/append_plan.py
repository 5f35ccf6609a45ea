"""What a command wants recorded: events for one or more streams, all or nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ledgerpress.eventlog.event import Event


@dataclass(frozen=True, slots=True)
class PlannedWrite:
    """Events for one stream, and the version at which it was loaded. Without events, it only checks the version."""

    stream: str
    expected: int
    events: Sequence[Event] = ()


@dataclass(frozen=True, slots=True)
class AppendPlan:
    """The writes of a command. `subject_id` is the id of what it is about. Without writes there is nothing to do."""

    subject_id: str
    writes: tuple[PlannedWrite, ...] = ()

    @staticmethod
    def of(subject_id: str, *writes: PlannedWrite) -> "AppendPlan":
        """Return the plan of those `writes` that have events."""
        return AppendPlan(subject_id, tuple(write for write in writes if write.events))

    @property
    def events(self) -> tuple[Event, ...]:
        """All events in the order in which they are recorded."""
        return tuple(event for write in self.writes for event in write.events)

    def adding(self, writes: Iterable[PlannedWrite]) -> "AppendPlan":
        """Return the plan with the events of `writes` after its own; those of one stream stay together."""
        merged = {write.stream: write for write in self.writes}
        for write in writes:
            if write.events:
                events = merged[write.stream].events if write.stream in merged else ()
                merged[write.stream] = PlannedWrite(write.stream, write.expected, (*events, *write.events))
        return AppendPlan(self.subject_id, tuple(merged.values()))

    def checking(self, versions: Iterable[tuple[str, int]]) -> "AppendPlan":
        """Return the plan that fails, too, if one of these streams has another version by then."""
        written = {write.stream for write in self.writes}
        checks = (PlannedWrite(stream, version) for stream, version in versions if stream not in written)
        return AppendPlan(self.subject_id, (*self.writes, *checks))
