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


def _without_remainder(data: JsonObject) -> JsonObject:
    """Convert `payload.withdrawn` version 1, which keeps nothing of the data, to version 2."""
    return {**data, "remainder": None}


LOG_EVENTS: Final[tuple[EventType[Event], ...]] = (
    EventType("log.opened", 1, LogOpened),
    EventType(WITHDRAWAL, 2, PayloadWithdrawn, (_without_remainder,)),
    EventType(SKIP, 1, ProjectionSkipped),
    EventType(LEASE_TAKEN, 1, LeaseTaken),
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
