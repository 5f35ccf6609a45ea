"""The events of the log itself, whatever features use it, and the names of their streams."""

from typing import Final

from ledgerpress.eventlog.codec import EventType
from ledgerpress.eventlog.event import Event
from ledgerpress.eventlog.leases import events as leases

LOG_STREAM: Final = "log"
WITHDRAWAL: Final = "payload.withdrawn"
"""The stored name of `PayloadWithdrawn`."""
SKIP: Final = "projection.skipped"
"""The stored name of `ProjectionSkipped`."""
SYSTEM_ACTOR_ID: Final = "00000000-0000-8000-8000-000000000001"
"""Records what LedgerPress does by itself."""


class LogOpened(Event, frozen=True):
    """The first event of every log. `name_key` is 32 random bytes in hex, the key of slugs' stream names."""

    format_version: int
    name_key: str


class PayloadWithdrawn(Event, frozen=True):
    """The payload of one event is withdrawn by law. `header` is that event's whole header."""

    header: dict[str, str | int | None]


class ProjectionSkipped(Event, frozen=True):
    """A projection does without the event at `position`, as long as that event cannot be applied to it."""

    projection: str
    position: int


LOG_EVENTS: Final[tuple[EventType[Event], ...]] = (
    EventType("log.opened", 1, LogOpened),
    EventType(WITHDRAWAL, 1, PayloadWithdrawn),
    EventType(SKIP, 1, ProjectionSkipped),
    EventType(leases.TAKEN, 1, leases.LeaseTaken),
)


def withdrawal_stream(event_id: str) -> str:
    """Return the name of the stream that records the withdrawal of an event's payload."""
    return f"withdrawal.{event_id}"


def projection_stream(projection: str) -> str:
    """Return the name of the stream that records which events a projection may skip."""
    return f"projection.{projection}"
