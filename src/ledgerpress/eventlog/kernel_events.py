"""The events of the log itself, whatever features use it, and the names of their streams."""

import re
from typing import Final

from ledgerpress.eventlog.codec import EventType
from ledgerpress.eventlog.event_and_withdrawn_event import Event

LOG_STREAM: Final = "log"
WITHDRAWAL: Final = "payload.withdrawn"
"""The stored name of `PayloadWithdrawn`."""
SKIP: Final = "projection.skipped"
"""The stored name of `ProjectionSkipped`."""
LEASE_TAKEN: Final = "lease.taken"
"""The stored name of `LeaseTaken`."""

_LEASE: Final = re.compile(r"[a-z][a-z0-9-]{0,63}")


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


class LeaseTaken(Event, frozen=True):
    """A node holds a lease from now on, and nobody who held it before does.

    The version that this event has in the lease's stream is the holder's fencing token. `node` is what the holder calls
    itself: one node that takes a lease twice is two holders.
    """

    lease: str
    node: str


LOG_EVENTS: Final[tuple[EventType[Event], ...]] = (
    EventType("log.opened", 1, LogOpened),
    EventType(WITHDRAWAL, 1, PayloadWithdrawn),
    EventType(SKIP, 1, ProjectionSkipped),
    EventType(LEASE_TAKEN, 1, LeaseTaken),
)


def withdrawal_stream(event_id: str) -> str:
    """Return the name of the stream that records the withdrawal of an event's payload."""
    return f"withdrawal.{event_id}"


def projection_stream(projection: str) -> str:
    """Return the name of the stream that records which events a projection may skip."""
    return f"projection.{projection}"


def lease_stream(lease: str) -> str:
    """Return the name of a lease's stream. Raises `ValueError` for an invalid name of a lease."""
    if not _LEASE.fullmatch(lease):
        raise ValueError(
            f"{lease!r} is no name for a lease: at most 64 of a-z, 0-9 and -, with a letter first"
        )
    return f"lease.{lease}"
