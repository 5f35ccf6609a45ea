"""What a command wants recorded: events for one or more streams, all or nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ledgerpress.eventlog.errors import WrongExpectedVersion
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
        """Return the plan with the events of `writes` after its own; those of one stream stay together.

        A stream that is in the plan keeps the version at which the plan loaded it, so that the append fails if it has
        changed since. Raises `WrongExpectedVersion` for one that was loaded before at an older version.
        """
        merged = {write.stream: write for write in self.writes}
        for write in writes:
            if write.events:
                planned = merged.get(write.stream, PlannedWrite(write.stream, write.expected))
                _check_same_version(planned, write.expected)
                merged[write.stream] = PlannedWrite(
                    write.stream, planned.expected, (*planned.events, *write.events)
                )
        return AppendPlan(self.subject_id, tuple(merged.values()))

    def checking(self, versions: Iterable[tuple[str, int]]) -> "AppendPlan":
        """Return the plan that fails, too, if one of these streams has another version by then.

        Raises `WrongExpectedVersion` if a stream of the plan was loaded at another version than it was planned on.
        """
        planned = {write.stream: write for write in self.writes}
        for stream, version in versions:
            _check_same_version(planned.setdefault(stream, PlannedWrite(stream, version)), version)
        return AppendPlan(self.subject_id, tuple(planned.values()))


def _check_same_version(planned: PlannedWrite, version: int) -> None:
    if version != planned.expected:
        raise WrongExpectedVersion(stream=planned.stream, expected=planned.expected, actual=version)
