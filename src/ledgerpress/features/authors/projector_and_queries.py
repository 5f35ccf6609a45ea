"""Authors as of any position: tables, their part of the projection `people`, article listings and queries."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, Protocol

import msgspec

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn
from ledgerpress.features.authors.model import AuthorRegistered, AuthorRenamed
from ledgerpress.views.feature_declarations import DependencyRule, FieldValues, Reference, Subject, plain
from ledgerpress.views.listings.projector import (
    Entry,
    ListedItem,
    ListingChanges,
    ListingContribution,
    ListingWriter,
)
from ledgerpress.views.projection.projector_interface_and_composition import ImmediateProjector
from ledgerpress.views.snapshot_and_cache_dependencies import NO_POSITION, Snapshot, Topic


def _apply(recorded: Recorded[Event], db: sqlite3.Connection) -> None:
    position, version = recorded.position, recorded.header.stream_version
    match recorded.event:
        case AuthorRegistered(author_id=author_id, name=name):
            db.execute("INSERT INTO author VALUES (?, ?)", (position, author_id))
            db.execute("INSERT INTO author_name VALUES (?, ?, ?, ?)", (author_id, position, name, version))
        case AuthorRenamed(author_id=author_id, name=name):
            db.execute("INSERT INTO author_name VALUES (?, ?, ?, ?)", (author_id, position, name, version))
        case Withdrawn(type="author.registered") as withdrawn:
            db.execute("INSERT INTO author VALUES (?, ?)", (position, withdrawn.subject_id))
            db.execute(
                "INSERT INTO author_name VALUES (?, ?, '', ?)", (withdrawn.subject_id, position, version)
            )
        case Withdrawn(type="author.renamed") as withdrawn:
            db.execute(
                "INSERT INTO author_name SELECT author_id, ?, name, ? FROM author_name"
                " WHERE author_id = ? ORDER BY from_pos DESC LIMIT 1",
                (position, version, withdrawn.subject_id),
            )
        case _:
            pass


def _delete_rows(db: sqlite3.Connection, stream: str) -> None:
    author_id = stream.removeprefix("author.")
    db.execute("DELETE FROM author WHERE id = ?", (author_id,))
    db.execute("DELETE FROM author_name WHERE author_id = ?", (author_id,))


# A name is valid from its position until the next row of the author. If the registration was withdrawn, it is empty.
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
    delete_rows={"author": _delete_rows},
)


class BylinedItem(ListedItem, Protocol):
    @property
    def article_author_ids(self) -> tuple[str, ...]: ...


class _AuthorListings(ListingWriter[BylinedItem]):
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
            case Withdrawn(type="author.registered") as withdrawn:
                self._add(withdrawn.subject_id, recorded.position)
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
    events=frozenset({AuthorRegistered, Withdrawn}),
    text_of=frozenset(),
    begin=_AuthorListings,
)


AUTHORS: Final = Topic("authors", 0)
"""The topic of the list of all authors."""
PUBLIC_AUTHORS: Final = Topic("public authors", 0)
"""The topic of which authors have public articles."""


def author_topic(author_id: str) -> Topic:
    return Topic("author", author_id)


DEPENDENCIES: Final = DependencyRule.by_type(
    {"author.registered": [AUTHORS], "author.renamed": []}, subject=author_topic
)


class Author(msgspec.Struct, frozen=True, gc=False):
    """An author. `seq` is the position of the registration."""

    seq: int
    id: str
    name: str
    version: int


def author(snapshot: Snapshot, author_id: str) -> Author | None:
    return snapshot.once(("author", author_id), lambda snapshot: _author(snapshot, author_id))


def _author(snapshot: Snapshot, author_id: str) -> Author | None:
    query = (
        "SELECT seq, id, name, version FROM author JOIN author_name ON author_id = id"
        " WHERE id = ? AND from_pos <= ? ORDER BY from_pos DESC LIMIT 1"
    )
    row = snapshot.about(author_topic(author_id)).execute(query, (author_id, snapshot.position)).fetchone()
    return Author(*row) if row else None


def authors(snapshot: Snapshot, author_ids: Sequence[str]) -> list[Author]:
    """Return the authors with these ids, in the order of the ids. Unknown ids are left out."""
    return [record for author_id in author_ids if (record := author(snapshot, author_id))]


def authors_after(snapshot: Snapshot, seq: int, limit: int) -> list[Author]:
    """Return up to `limit` authors registered after the position `seq`, in the order of registration."""
    rows = snapshot.about(AUTHORS).execute(
        "SELECT id FROM author WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
        (seq, snapshot.position, limit),
    )
    return authors(snapshot, [author_id for (author_id,) in rows.fetchall()])


def count_authors(snapshot: Snapshot) -> int:
    query = "SELECT count(*) FROM author WHERE seq <= ?"
    (count,) = snapshot.about(AUTHORS).execute(query, (snapshot.position,)).fetchone()
    return int(count)


_PUBLIC: Final = """
    SELECT id, seq, n FROM (
        SELECT id, seq, (
            SELECT n FROM count_step WHERE k = seq AND pos <= ?2 ORDER BY pos DESC LIMIT 1
        ) AS n
        FROM author WHERE {condition} AND seq <= ?2
    )
    WHERE n > 0 ORDER BY seq
"""
_PUBLIC_AFTER: Final = _PUBLIC.format(condition="seq > ?1")
_PUBLIC_BY_SEQ: Final = _PUBLIC.format(condition="seq = ?1")
# The listings ?2 of authors that were empty at ?1 and are not empty at ?3, or the other way round.
_CHANGED_PUBLIC: Final = """
    SELECT 1 FROM json_each(?2) CROSS JOIN author ON author.seq = value
    WHERE coalesce((SELECT n > 0 FROM count_step WHERE k = value AND pos <= ?1 ORDER BY pos DESC LIMIT 1), 0)
        <> coalesce((SELECT n > 0 FROM count_step WHERE k = value AND pos <= ?3 ORDER BY pos DESC LIMIT 1), 0)
    LIMIT 1
"""


def public_authors_after(snapshot: Snapshot, seq: int, limit: int) -> list[Author]:
    """Return, like `authors_after`, only authors that have a public article."""
    return authors(snapshot, list(islice(_public_ids(snapshot, _PUBLIC_AFTER, seq), limit)))


def count_public_authors(snapshot: Snapshot) -> int:
    """Return the number of authors that have a public article."""
    return sum(1 for _ in _public_ids(snapshot, _PUBLIC_AFTER, NO_POSITION))


def is_public_author(snapshot: Snapshot, seq: int) -> bool:
    """Return whether the author registered at position `seq` has a public article."""
    return any(_public_ids(snapshot, _PUBLIC_BY_SEQ, seq))


def changed_public_authors(snapshot: Snapshot, after: int, ks: Sequence[int]) -> list[Topic]:
    """Return `PUBLIC_AUTHORS` if an author whose listing is among `ks` became public after a position, or ceased to be.

    It is empty otherwise.
    """
    values = (after, json.dumps(ks), snapshot.position)
    return [PUBLIC_AUTHORS for _ in snapshot.about().execute(_CHANGED_PUBLIC, values)]


def _public_ids(snapshot: Snapshot, query: str, seq: int) -> Iterator[str]:
    """Yield the ids of the authors that `query` selects and that have an article that passes the snapshot's filter."""
    rows = snapshot.about(PUBLIC_AUTHORS).execute(query, (seq, snapshot.position)).fetchall()
    for author_id, k, articles in rows:
        if snapshot.only is None or articles > snapshot.only.count_hidden([k], snapshot.position):
            yield author_id


def reference(snapshot: Snapshot, author_id: str) -> Reference:
    record = author(snapshot, author_id)
    return Reference("Author", author_id, record.name if record else "")


def _values(snapshot: Snapshot, author_id: str) -> FieldValues:
    record = author(snapshot, author_id)
    return {"name": plain(record.name)} if record else {}


SUBJECT: Final = Subject(kind="author", values=_values)
