"""Actors as of any position: the table, its part of the projection `people`, and the queries."""

import sqlite3
from dataclasses import dataclass
from typing import Final

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn
from ledgerpress.features.actors.model import ActorRegistered, ActorRenamed
from ledgerpress.views.feature_declarations import DependencyRule, FieldValues, Subject, plain
from ledgerpress.views.projection.projector_interface_and_composition import ImmediateProjector
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot, Topic


def _apply(recorded: Recorded[Event], db: sqlite3.Connection) -> None:
    position = recorded.position
    match recorded.event:
        case ActorRegistered(actor_id=actor_id, kind=kind, name=name):
            db.execute("INSERT INTO actor_name VALUES (?, ?, ?, ?)", (actor_id, position, kind.value, name))
        case ActorRenamed(actor_id=actor_id, name=name):
            db.execute(
                "INSERT INTO actor_name SELECT actor_id, ?, kind, ? FROM actor_name"
                " WHERE actor_id = ? ORDER BY from_pos DESC LIMIT 1",
                (position, name, actor_id),
            )
        case Withdrawn(remaining=ActorRegistered(actor_id=actor_id, kind=kind)):
            db.execute("INSERT INTO actor_name VALUES (?, ?, ?, '')", (actor_id, position, kind.value))
        case Withdrawn(type="actor.registered") as event:
            db.execute("INSERT INTO actor_name VALUES (?, ?, NULL, '')", (event.subject_id, position))
        case _:
            pass


def _delete_rows(db: sqlite3.Connection, stream: str) -> None:
    db.execute("DELETE FROM actor_name WHERE actor_id = ?", (stream.removeprefix("actor."),))


# A name is valid from its position to the position of the next row; a withdrawn registration has an empty name.
PROJECTOR: Final = ImmediateProjector(
    name="people",
    version=1,
    schema="""
        CREATE TABLE actor_name (
            actor_id TEXT NOT NULL, from_pos INTEGER NOT NULL, kind TEXT, name TEXT NOT NULL,
            PRIMARY KEY (actor_id, from_pos)
        ) STRICT, WITHOUT ROWID;
    """,
    events=frozenset({ActorRegistered, ActorRenamed, Withdrawn}),
    apply=_apply,
    delete_rows={"actor": _delete_rows},
)


def actor_topic(actor_id: str) -> Topic:
    return Topic("actor", actor_id)


DEPENDENCIES: Final = DependencyRule.by_type(
    {"actor.registered": [], "actor.renamed": []}, subject=actor_topic
)


@dataclass(frozen=True, slots=True)
class Actor:
    """An actor as registered; if the registration was withdrawn, `kind` is `None` and the name empty."""

    id: str
    kind: str | None
    name: str


def actor(snapshot: Snapshot, actor_id: str) -> Actor | None:
    query = (
        "SELECT actor_id, kind, name FROM actor_name WHERE actor_id = ? AND from_pos <= ?"
        " ORDER BY from_pos DESC LIMIT 1"
    )
    row = snapshot.about(actor_topic(actor_id)).execute(query, (actor_id, snapshot.position)).fetchone()
    return Actor(*row) if row else None


def _values(snapshot: Snapshot, actor_id: str) -> FieldValues:
    record = actor(snapshot, actor_id)
    return {"kind": plain(record.kind), "name": plain(record.name)} if record else {}


SUBJECT: Final = Subject(kind="actor", values=_values)
