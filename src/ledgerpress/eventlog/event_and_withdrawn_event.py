"""The base class of all events, and the replacement for an event whose payload was withdrawn."""

from typing import Final

import msgspec

SYSTEM_ACTOR_ID: Final = "00000000-0000-8000-8000-000000000001"
"""The actor of events that LedgerPress records itself."""


class Event(msgspec.Struct, frozen=True, gc=False, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A recorded fact. An optional field that is `UNSET` means "unchanged"; `None` means "cleared"."""


class Withdrawn(Event, frozen=True):
    """The replacement for an event whose payload was withdrawn. Only its header is known.

    `type` is its stored type name; `recorded_at` is in microseconds since 1970, UTC.
    """

    type: str
    stream: str
    recorded_at: int

    @property
    def subject_id(self) -> str:
        """The id in the stream's name: `post.<id>` belongs to the post with that id."""
        return self.stream.rpartition(".")[2]


def withdrawn(type: str, stream: str, recorded_at: int) -> Withdrawn:
    """Return the replacement for an event whose payload was withdrawn."""
    return Withdrawn(type=type, stream=stream, recorded_at=recorded_at)
