"""Actors as of a snapshot."""

from dataclasses import dataclass
from typing import Final

from ledgerpress.views.declarations import DependencyRule, FieldValues, Subject, plain
from ledgerpress.views.snapshot import Snapshot, Topic


def actor_topic(actor_id: str) -> Topic:
    """Return the topic of an actor."""
    return Topic("actor", actor_id)


DEPENDENCIES: Final = DependencyRule.by_type(
    {"actor.registered": [], "actor.renamed": []}, subject=actor_topic
)


@dataclass(frozen=True, slots=True)
class Actor:
    """An actor as registered; where that was withdrawn, `kind` is `None` and the name empty."""

    id: str
    kind: str | None
    name: str


def actor(snapshot: Snapshot, actor_id: str) -> Actor | None:
    """Return an actor by id."""
    row = (
        snapshot.about(actor_topic(actor_id))
        .execute(
            "SELECT actor_id, kind, name FROM actor_name WHERE actor_id = ? AND from_pos <= ?"
            " ORDER BY from_pos DESC LIMIT 1",
            (actor_id, snapshot.position),
        )
        .fetchone()
    )
    return Actor(*row) if row else None


def _values(snapshot: Snapshot, actor_id: str) -> FieldValues:
    known = actor(snapshot, actor_id)
    return {"kind": plain(known.kind), "name": plain(known.name)} if known else {}


SUBJECT: Final = Subject(kind="actor", values=_values)
