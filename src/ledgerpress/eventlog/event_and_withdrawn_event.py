"""The base class of all events, and the replacement for an event whose payload was withdrawn."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, NamedTuple

import msgspec
from msgspec import UNSET

SYSTEM_ACTOR_ID: Final = "00000000-0000-8000-8000-000000000001"
"""The actor of events that LedgerPress records itself."""


class ValueOf(NamedTuple):
    """In `Event.TEXT`: the value of another field replaces the text."""

    field: str


class _NoText:
    """The type of `KEPT`."""


KEPT: Final = _NoText()
"""In `Event.TEXT`: the field can hold a string, but never a text that a person wrote. A withdrawal keeps it."""


class Event(msgspec.Struct, frozen=True, gc=False, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A recorded fact. An optional field that is `UNSET` means "unchanged"; `None` means "cleared"."""

    TEXT: ClassVar[Mapping[str, Any] | None] = None
    """The fields that can contain text of a person, each with the value that replaces its text after a withdrawal.

    The value is a constant, `UNSET`, `ValueOf(field)`, or `KEPT`. All other fields are kept. A class with `None`
    declares nothing: a withdrawal then erases all of its data.
    """


class Withdrawn(Event, frozen=True):
    """The replacement for an event whose payload was withdrawn.

    `type` is its stored type name; `recorded_at` is in microseconds since 1970, UTC. `remaining` is the event without
    its text, if the withdrawal recorded that; `erased` are the names of the fields whose text it lacks. `withdrawn_at` is
    the position of the record of the withdrawal, if that is known.
    """

    type: str
    stream: str
    recorded_at: int
    remaining: Event | None = None
    erased: tuple[str, ...] = ()
    withdrawn_at: int | None = None

    @property
    def subject_id(self) -> str:
        """The id in the stream's name: `post.<id>` belongs to the post with that id."""
        return self.stream.rpartition(".")[2]


class Remainder(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What a withdrawal keeps of the data of an event: everything except text.

    `data` is the data in the schema version `schema_version`, with the replacements of `Event.TEXT`; `erased` are the
    names of the fields that were replaced, as in `data`.
    """

    schema_version: int
    data: dict[str, Any]
    erased: tuple[str, ...]


def withdrawn(
    type: str,
    stream: str,
    recorded_at: int,
    remaining: Event | None = None,
    erased: tuple[str, ...] = (),
    withdrawn_at: int | None = None,
) -> Withdrawn:
    """Return the replacement for an event whose payload was withdrawn."""
    return Withdrawn(
        type=type,
        stream=stream,
        recorded_at=recorded_at,
        remaining=remaining,
        erased=erased,
        withdrawn_at=withdrawn_at,
    )


def remaining_event(event: Event) -> Event:
    """Return a withdrawn event without its text, if that is known; otherwise `event` itself."""
    return event.remaining if isinstance(event, Withdrawn) and event.remaining is not None else event


def without_text(event: Event) -> tuple[Event, tuple[str, ...]] | None:
    """Return `event` without its text, and the names of the fields that contained text.

    Returns `None` if the class of the event does not declare its text.
    """
    if event.TEXT is None:
        return None
    replacements = {
        name: getattr(event, replacement.field) if isinstance(replacement, ValueOf) else replacement
        for name, replacement in event.TEXT.items()
        if replacement is not KEPT and getattr(event, name) not in (UNSET, None, "", ())
    }
    return msgspec.structs.replace(event, **replacements), tuple(replacements)
