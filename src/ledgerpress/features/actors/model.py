"""Actors: who did it. A person, an API token, or LedgerPress itself."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, assert_never

from ledgerpress.commands import text_rules
from ledgerpress.eventlog.event import SYSTEM_ACTOR_ID, Event, Withdrawn


class ActorKind(StrEnum):
    """What an actor is."""

    HUMAN = "human"
    TOKEN = "token"  # noqa: S105 - a kind, not a secret
    SYSTEM = "system"


class ActorRegistered(Event, frozen=True):
    """An actor is known from now on."""

    actor_id: str
    kind: ActorKind
    name: str


class ActorRenamed(Event, frozen=True):
    """The actor goes by another name."""

    actor_id: str
    name: str


ActorEvent = ActorRegistered | ActorRenamed | Withdrawn


@dataclass(frozen=True, slots=True)
class Actor:
    """An actor; the name is empty after a withdrawal."""

    id: str
    kind: ActorKind
    name: str


SYSTEM: Final = Actor(SYSTEM_ACTOR_ID, ActorKind.SYSTEM, "LedgerPress")
OPERATOR: Final = Actor("00000000-0000-8000-8000-000000000002", ActorKind.SYSTEM, "Local operator")
IMPORTER: Final = Actor("00000000-0000-8000-8000-000000000003", ActorKind.SYSTEM, "Import")
RESERVED: Final = (SYSTEM, OPERATOR, IMPORTER)
"""The actors that every publication has from its first moment, under the same ids everywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterActor:
    """Make an actor known."""

    actor_id: str
    kind: ActorKind
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameActor:
    """Give an actor another name."""

    name: str


def evolve(actor: Actor | None, event: ActorEvent) -> Actor | None:
    """Return the actor after `event`."""
    match event:
        case ActorRegistered(actor_id=actor_id, kind=kind, name=name):
            return Actor(actor_id, kind, name)
        case ActorRenamed(actor_id=actor_id, name=name):
            return Actor(actor_id, actor.kind if actor else ActorKind.HUMAN, name)
        case Withdrawn():
            return actor or Actor(event.subject_id, ActorKind.HUMAN, "")
        case _ as unreachable:
            assert_never(unreachable)


def decide(command: RegisterActor | RenameActor, actor: Actor | None) -> tuple[ActorEvent, ...]:
    """Return what happens on `command`. Raises `Rejected`."""
    name = text_rules.line(command.name, field="name", limit=text_rules.MAX_NAME)
    match command:
        case RegisterActor(actor_id=actor_id, kind=kind):
            return () if actor else (ActorRegistered(actor_id=actor_id, kind=kind, name=name),)
        case RenameActor():
            if actor is None or actor.name == name:
                return ()
            return (ActorRenamed(actor_id=actor.id, name=name),)
        case _ as unreachable:
            assert_never(unreachable)
