"""The part of the projection `people` that holds authors: every name that each ever had; and the authors' listings."""

import sqlite3
from collections.abc import Iterable
from typing import Final, Protocol

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event import Event, Withdrawn
from ledgerpress.features.authors.model import AuthorRegistered, AuthorRenamed
from ledgerpress.views.listings.projector import (
    Entry,
    ListedItem,
    ListingChanges,
    ListingContribution,
    ListingWriter,
)
from ledgerpress.views.projection.projector_interface import ImmediateProjector


def _apply(recorded: Recorded[Event], db: sqlite3.Connection) -> None:
    position, version = recorded.position, recorded.header.stream_version
    match recorded.event:
        case AuthorRegistered(author_id=author_id, name=name):
            db.execute("INSERT INTO author VALUES (?, ?)", (position, author_id))
            db.execute("INSERT INTO author_name VALUES (?, ?, ?, ?)", (author_id, position, name, version))
        case AuthorRenamed(author_id=author_id, name=name):
            db.execute("INSERT INTO author_name VALUES (?, ?, ?, ?)", (author_id, position, name, version))
        case Withdrawn(type="author.registered") as gone:
            db.execute("INSERT INTO author VALUES (?, ?)", (position, gone.subject_id))
            db.execute("INSERT INTO author_name VALUES (?, ?, '', ?)", (gone.subject_id, position, version))
        case Withdrawn(type="author.renamed") as gone:
            db.execute(
                "INSERT INTO author_name SELECT author_id, ?, name, ? FROM author_name"
                " WHERE author_id = ? ORDER BY from_pos DESC LIMIT 1",
                (position, version, gone.subject_id),
            )
        case _:
            pass


# A name is true from its position to that of the next row; one withdrawn at the start is empty.
PROJECTOR: Final = ImmediateProjector(
    name="people",
    version=1,
    schema="""
        CREATE TABLE author_name (
            author_id TEXT NOT NULL, from_pos INTEGER NOT NULL, name TEXT NOT NULL,
            version INTEGER NOT NULL,
            PRIMARY KEY (author_id, from_pos)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE author (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT;
    """,
    events=frozenset({AuthorRegistered, AuthorRenamed, Withdrawn}),
    apply=_apply,
)


class BylinedItem(ListedItem, Protocol):
    """An item with a byline."""

    @property
    def article_author_ids(self) -> tuple[str, ...]:
        """The authors that readers see."""
        ...


class _AuthorListings(ListingWriter[BylinedItem]):
    """The listings of authors in one transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._keys: dict[str, int | None] = {}

    def entries(self, item: BylinedItem) -> Iterable[Entry]:
        date = item.public_date
        if date is None:
            return ()
        return [(k, date) for author_id in item.article_author_ids if (k := self._key(author_id)) is not None]

    def apply(self, recorded: Recorded[Event], changes: ListingChanges) -> None:
        match recorded.event:
            case AuthorRegistered(author_id=author_id):
                self._add(author_id, recorded.position)
            case Withdrawn(type="author.registered") as gone:
                self._add(gone.subject_id, recorded.position)
            case _:
                pass

    def _add(self, author_id: str, k: int) -> None:
        self._db.execute("INSERT INTO listed_author VALUES (?, ?)", (author_id, k))
        self._keys[author_id] = k

    def _key(self, author_id: str) -> int | None:
        try:
            return self._keys[author_id]
        except KeyError:
            row = self._db.execute("SELECT k FROM listed_author WHERE id = ?", (author_id,)).fetchone()
            k = self._keys[author_id] = int(row[0]) if row else None
            return k


LISTINGS: Final = ListingContribution(
    name="authors",
    schema="""
        CREATE TABLE listed_author (id TEXT PRIMARY KEY, k INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    """,
    begin=_AuthorListings,
)
