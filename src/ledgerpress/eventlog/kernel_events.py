"""The events that the kernel records, independent of features, and the names of their streams."""

import re
from typing import ClassVar, Final

from ledgerpress.eventlog.codec import EventType, JsonObject
from ledgerpress.eventlog.event_and_withdrawn_event import KEPT, Event, Remainder

LOG_STREAM: Final = "log"
WITHDRAWAL: Final = "payload.withdrawn"
"""The stored name of `PayloadWithdrawn`."""
SKIP: Final = "projection.skipped"
"""The stored name of `ProjectionSkipped`."""
LEASE_TAKEN: Final = "lease.taken"
"""The stored name of `LeaseTaken`."""
CLOCK_STREAM: Final = "clock"
"""The stream of `ClockConfirmed` and `ClockCorrected`."""
CLOCK_CONFIRMATION: Final = "clock.confirmed"
"""The stored name of `ClockConfirmed`."""
CLOCK_CORRECTION: Final = "clock.corrected"
"""The stored name of `ClockCorrected`."""

_LEASE: Final = re.compile(r"[a-z][a-z0-9-]{0,63}")


class LogOpened(Event, frozen=True):
    """The first event of every log. `name_key` is the HMAC key of the stream names of slugs: 32 random bytes in hex."""

    format_version: int
    name_key: str


class PayloadWithdrawn(Event, frozen=True):
    """The payload of one event was withdrawn (legal erasure). `header` is the complete header of that event.

    `remainder` is the data of that event without text. It is null if nothing of the data is kept, as in version 1.
    """

    header: dict[str, str | int | None]
    remainder: Remainder | None = None


class ProjectionSkipped(Event, frozen=True):
    """A projection skips the event at `position` for as long as it cannot apply that event."""

    projection: str
    position: int


class LeaseTaken(Event, frozen=True):
    """A node has taken a lease; the previous holder no longer holds it.

    The stream version of this event is the holder's fencing token. `node` is the name of the holder: a node that takes
    a lease twice counts as two holders.
    """

    TEXT: ClassVar = {"lease": KEPT, "node": ""}

    lease: str
    node: str


class ClockConfirmed(Event, frozen=True):
    """An operator has confirmed the clock, which was far ahead of the last recorded time.

    `last_recorded_time` is that time, in microseconds since 1970, UTC. The recorded time of this event is the
    confirmed time.
    """

    TEXT: ClassVar = {}

    last_recorded_time: int


class ClockCorrected(Event, frozen=True):
    """The events from `first_position` to `last_position` were recorded with a wrong clock.

    Their correct recorded times are `shift` microseconds later than in their headers; a negative shift means earlier.
    The last correction of an event counts; a shift of 0 takes earlier corrections back.
    """

    first_position: int
    last_position: int
    shift: int


def _without_remainder(data: JsonObject) -> JsonObject:
    """Convert `payload.withdrawn` version 1, which keeps nothing of the data, to version 2."""
    return {**data, "remainder": None}


LOG_EVENTS: Final[tuple[EventType[Event], ...]] = (
    EventType("log.opened", 1, LogOpened),
    EventType(WITHDRAWAL, 2, PayloadWithdrawn, (_without_remainder,)),
    EventType(SKIP, 1, ProjectionSkipped),
    EventType(LEASE_TAKEN, 1, LeaseTaken),
    EventType(CLOCK_CONFIRMATION, 1, ClockConfirmed),
    EventType(CLOCK_CORRECTION, 1, ClockCorrected),
)


def withdrawal_stream(event_id: str) -> str:
    """Return the name of the stream that records the withdrawal of an event's payload."""
    return f"withdrawal.{event_id}"


def projection_stream(projection: str) -> str:
    """Return the name of the stream that records the events that a projection skips."""
    return f"projection.{projection}"


def lease_stream(lease: str) -> str:
    """Return the name of a lease's stream. Raises `ValueError` if `lease` is not a valid lease name."""
    if not _LEASE.fullmatch(lease):
        raise ValueError(
            f"{lease!r} is not a lease name: use at most 64 of a-z, 0-9 and -, with a letter first"
        )
    return f"lease.{lease}"
