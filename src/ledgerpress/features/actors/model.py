"""Actors, who record events: people, API tokens and LedgerPress itself."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final

from ledgerpress.commands import text_rules
from ledgerpress.commands.client_identity import OPERATOR_ACTOR_ID
from ledgerpress.commands.streams_and_append_plan import StreamCategory
from ledgerpress.eventlog.codec import EventType
from ledgerpress.eventlog.event_and_withdrawn_event import SYSTEM_ACTOR_ID, Event, Withdrawn


class ActorKind(StrEnum):
    """The kind of an actor."""

    HUMAN = "human"
    TOKEN = "token"  # noqa: S105 - a kind, not a secret
    SYSTEM = "system"


class ActorRegistered(Event, frozen=True):
    """An actor was registered."""

    TEXT: ClassVar = {"name": ""}

    actor_id: str
    kind: ActorKind
    name: str


class ActorRenamed(Event, frozen=True):
    """An actor was renamed."""

    TEXT: ClassVar = {"name": ""}

    actor_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Actor:
    """An actor; the name is empty if the registration was withdrawn."""

    id: str
    kind: ActorKind
    name: str


SYSTEM: Final = Actor(SYSTEM_ACTOR_ID, ActorKind.SYSTEM, "LedgerPress")
OPERATOR: Final = Actor(OPERATOR_ACTOR_ID, ActorKind.SYSTEM, "Local operator")
IMPORTER: Final = Actor("00000000-0000-8000-8000-000000000003", ActorKind.SYSTEM, "Import")
RESERVED: Final = (SYSTEM, OPERATOR, IMPORTER)
"""The actors that every publication has from the start, with the same ids in all publications."""


def evolve(actor: Actor | None, event: Event) -> Actor | None:
    match event:
        case ActorRegistered(actor_id=actor_id, kind=kind, name=name):
            return Actor(actor_id, kind, name)
        case ActorRenamed(actor_id=actor_id, name=name):
            return Actor(actor_id, actor.kind if actor else ActorKind.HUMAN, name)
        case Withdrawn(remaining=ActorRegistered(actor_id=actor_id, kind=kind)):
            return actor or Actor(actor_id, kind, "")
        case Withdrawn():
            return actor or Actor(event.subject_id, ActorKind.HUMAN, "")
        case _:
            return actor


def register(
    actor: Actor | None, *, actor_id: str, kind: ActorKind, name: str
) -> tuple[ActorRegistered, ...]:
    """Return the registration of an actor, unless the actor is registered already. Raises `Rejection`."""
    name = text_rules.line(name, field="name", limit=text_rules.MAX_NAME)
    return () if actor else (ActorRegistered(actor_id=actor_id, kind=kind, name=name),)


ACTORS: Final = StreamCategory[Actor | None]("actor", None, evolve)
EVENTS: Final = (
    EventType[Event]("actor.registered", 1, ActorRegistered),
    EventType[Event]("actor.renamed", 1, ActorRenamed),
)
FIRST_EVENTS: Final = tuple(
    (ACTORS.stream(actor.id), ActorRegistered(actor_id=actor.id, kind=actor.kind, name=actor.name))
    for actor in RESERVED
)
FIRST_EVENT_COUNT: Final = 1 + len(FIRST_EVENTS)
"""The number of events in a new log, including `log.opened`."""
