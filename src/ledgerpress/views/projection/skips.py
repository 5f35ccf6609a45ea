"""What an operator decides about a projection: which events it may do without."""

from dataclasses import dataclass
from typing import Final, assert_never

from ledgerpress.eventlog.event import Event, Withdrawn

SKIP: Final = "projection.skipped"
"""The stored name of `ProjectionSkipped`."""


class ProjectionSkipped(Event, frozen=True):
    """A projection does without the event at `position`, as long as that event cannot be applied to it."""

    projection: str
    position: int


@dataclass(frozen=True, slots=True)
class Skips:
    """The positions of the events that one projection may do without."""

    positions: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipEvent:
    """Let a projection do without the event at `position`."""

    projection: str
    position: int


def stream_name(projection: str) -> str:
    """Return the name of the stream that says which events a projection may do without."""
    return f"projection.{projection}"


def evolve(skips: Skips, event: ProjectionSkipped | Withdrawn) -> Skips:
    """Return the skips after `event`."""
    match event:
        case ProjectionSkipped(position=position):
            return Skips(skips.positions | {position})
        case Withdrawn():
            return skips
        case _ as unreachable:
            assert_never(unreachable)


def decide(command: SkipEvent, skips: Skips) -> tuple[ProjectionSkipped, ...]:
    """Return what happens on `command`."""
    if command.position in skips.positions:
        return ()
    return (ProjectionSkipped(projection=command.projection, position=command.position),)
