"""The part of the projection `people` that holds actors: every name that each ever had."""

import sqlite3
from typing import Final

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event import Event, Withdrawn
from ledgerpress.features.actors.model import ActorRegistered, ActorRenamed
from ledgerpress.views.projection.projector_interface import ImmediateProjector


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
        case Withdrawn(type="actor.registered") as gone:
            db.execute("INSERT INTO actor_name VALUES (?, ?, NULL, '')", (gone.subject_id, position))
        case _:
            pass


# A name is true from its position to that of the next row; one withdrawn at the start is empty.
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
)
