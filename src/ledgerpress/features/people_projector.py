"""Authors, actors and the site's name, each with every name it ever had."""

import sqlite3
from typing import Final

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event import Event, Withdrawn
from ledgerpress.features.actors.model import ActorRegistered, ActorRenamed
from ledgerpress.features.authors.model import AuthorRegistered, AuthorRenamed
from ledgerpress.features.site.model import SiteNamed
from ledgerpress.views.projection.projector import ImmediateBatch, ProjectorBatch

_EVENTS: Final[frozenset[type[Event]]] = frozenset(
    {AuthorRegistered, AuthorRenamed, ActorRegistered, ActorRenamed, SiteNamed, Withdrawn}
)


class PeopleProjector:
    """A row for each name, true from its position to the next row's; a name withdrawn at the start is empty."""

    name: Final = "people"
    version: Final = 1
    schema: Final = """
        CREATE TABLE author_name (
            author_id TEXT NOT NULL, from_pos INTEGER NOT NULL, name TEXT NOT NULL,
            version INTEGER NOT NULL,
            PRIMARY KEY (author_id, from_pos)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE author (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT;
        CREATE TABLE actor_name (
            actor_id TEXT NOT NULL, from_pos INTEGER NOT NULL, kind TEXT, name TEXT NOT NULL,
            PRIMARY KEY (actor_id, from_pos)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE site_name (
            from_pos INTEGER PRIMARY KEY, name TEXT NOT NULL, version INTEGER NOT NULL
        ) STRICT;
    """
    indexes: Final = ""

    def begin(self, db: sqlite3.Connection) -> ProjectorBatch:
        """Return what writes in the transaction under way."""
        return ImmediateBatch(db, _EVENTS, _apply)


def _apply(recorded: Recorded[Event], db: sqlite3.Connection) -> None:
    position, version = recorded.position, recorded.header.stream_version
    match recorded.event:
        case AuthorRegistered(author_id=author_id, name=name):
            db.execute("INSERT INTO author VALUES (?, ?)", (position, author_id))
            db.execute("INSERT INTO author_name VALUES (?, ?, ?, ?)", (author_id, position, name, version))
        case AuthorRenamed(author_id=author_id, name=name):
            db.execute("INSERT INTO author_name VALUES (?, ?, ?, ?)", (author_id, position, name, version))
        case ActorRegistered(actor_id=actor_id, kind=kind, name=name):
            db.execute("INSERT INTO actor_name VALUES (?, ?, ?, ?)", (actor_id, position, kind.value, name))
        case ActorRenamed(actor_id=actor_id, name=name):
            db.execute(
                "INSERT INTO actor_name SELECT actor_id, ?, kind, ? FROM actor_name"
                " WHERE actor_id = ? ORDER BY from_pos DESC LIMIT 1",
                (position, name, actor_id),
            )
        case Withdrawn(type="author.registered") as gone:
            db.execute("INSERT INTO author VALUES (?, ?)", (position, gone.subject_id))
            db.execute("INSERT INTO author_name VALUES (?, ?, '', ?)", (gone.subject_id, position, version))
        case Withdrawn(type="author.renamed") as gone:
            db.execute(
                "INSERT INTO author_name SELECT author_id, ?, name, ? FROM author_name"
                " WHERE author_id = ? ORDER BY from_pos DESC LIMIT 1",
                (position, version, gone.subject_id),
            )
        case Withdrawn(type="actor.registered") as gone:
            db.execute("INSERT INTO actor_name VALUES (?, ?, NULL, '')", (gone.subject_id, position))
        case SiteNamed(name=name):
            db.execute("INSERT INTO site_name VALUES (?, ?, ?)", (position, name, version))
        case Withdrawn(type="site.named"):
            db.execute(
                "INSERT INTO site_name SELECT ?, name, ? FROM site_name ORDER BY from_pos DESC LIMIT 1",
                (position, version),
            )
        case _:
            pass
