"""The rows of authors in the projection `people`: names and slugs as of any position.

The slug of an event is recorded in the event. Authors of earlier logs have no recorded slug: it is derived from the name,
with a number if the slug already leads to another author. So it depends on the rows of other authors. When a name is
erased, these slugs are determined again, from the rows of all authors, as a rebuild would.
"""

import sqlite3
from itertools import count
from typing import Final, NamedTuple

from msgspec import UNSET, UnsetType

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn
from ledgerpress.features.authors.model import AUTHORS, AuthorRegistered, AuthorRenamed
from ledgerpress.features.slugs import model as slugs
from ledgerpress.features.slugs.model import SlugKind
from ledgerpress.views.projection.projector_interface_and_composition import Effect, Erasure

PROJECTION: Final = "people"
_DERIVED: Final = ""
"""In the column `wanted`: the slug is derived from the name."""
_SEQ: Final = "SELECT seq FROM author WHERE id = ?"
_LAST: Final = "SELECT name, slug FROM author_state WHERE seq = ? ORDER BY from_pos DESC LIMIT 1"
_OWNER: Final = "SELECT seq FROM author_slug WHERE slug = ?"


class _State(NamedTuple):
    """A row of `author_state` without its slug."""

    seq: int
    at: int
    name: str
    wanted: str | None
    version: int


class AuthorsProjector:
    """Writes the rows of authors."""

    name: Final = PROJECTION
    version: Final = 2
    schema: Final = """
        CREATE TABLE author (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT;
        CREATE TABLE author_state (             -- valid until the next row of the author
            seq INTEGER NOT NULL, from_pos INTEGER NOT NULL,
            name TEXT NOT NULL,                 -- empty if the registration was withdrawn
            slug TEXT NOT NULL,
            wanted TEXT,                        -- the slug in the event: empty to derive it from the name, NULL if unchanged
            version INTEGER NOT NULL,
            PRIMARY KEY (seq, from_pos)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE author_slug (              -- leads to the author from then on
            slug TEXT PRIMARY KEY, seq INTEGER NOT NULL, from_pos INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
    """
    indexes: Final = ""
    events: Final = frozenset({AuthorRegistered, AuthorRenamed, Withdrawn})

    def begin(self, db: sqlite3.Connection) -> "_Authors":
        return _Authors(db)

    def erase(self, erasure: Erasure, db: sqlite3.Connection) -> Effect:
        """Write the rows of the author without the text, and determine the slugs of all authors again."""
        if not erasure.is_in(AUTHORS.prefix):
            return Effect.NONE
        row = db.execute(_SEQ, (AUTHORS.id_in(erasure.event.header.stream),)).fetchone()
        if row is None:
            return Effect.NONE
        authors = _Authors(db)
        positions = {at for (at,) in db.execute("SELECT from_pos FROM author_state WHERE seq = ?", row)}
        db.execute("DELETE FROM author_state WHERE seq = ?", row)
        db.execute("DELETE FROM author WHERE seq = ?", row)
        for recorded in erasure.stream:
            if recorded.position in positions:
                authors.apply(recorded)
        authors.determine_slugs()
        return Effect.NONE


class _Authors:
    """The work in one transaction. It buffers nothing: events of authors are rare."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def apply(self, recorded: Recorded[Event]) -> None:
        match recorded.event:
            case AuthorRegistered(author_id=author_id, name=name, slug=slug):
                self._add(recorded, author_id, name, _DERIVED if slug is None else slug)
            case Withdrawn(type="author.registered") as withdrawn:
                self._add(recorded, withdrawn.subject_id, "", withdrawn.subject_id)
            case AuthorRenamed(author_id=author_id, name=name, slug=slug):
                self._change(recorded, author_id, name, _DERIVED if slug is None else slug)
            case Withdrawn(type="author.renamed") as withdrawn:
                self._change(recorded, withdrawn.subject_id, UNSET, UNSET)
            case _:
                pass

    def flush(self) -> None:
        """Do nothing: all rows are written."""

    def determine_slugs(self) -> None:
        """Determine the slugs of all authors again, from their names and the slugs in events, in the order of the log."""
        self._db.execute("DELETE FROM author_slug")
        rows = self._db.execute(
            "SELECT seq, from_pos, name, wanted, version FROM author_state ORDER BY from_pos"
        ).fetchall()
        self._db.execute("DELETE FROM author_state")
        for row in rows:
            self._put(_State(*row))

    def _add(self, recorded: Recorded[Event], author_id: str, name: str, wanted: str) -> None:
        at = recorded.position
        self._db.execute("INSERT INTO author VALUES (?, ?)", (at, author_id))
        self._put(_State(at, at, name, wanted, recorded.header.stream_version))

    def _change(
        self, recorded: Recorded[Event], author_id: str, name: str | UnsetType, wanted: str | UnsetType
    ) -> None:
        author = self._db.execute(_SEQ, (author_id,)).fetchone()
        if author is None:
            return
        (seq,) = author
        if name is UNSET:
            name = self._last(seq)[0]
        new_slug = None if wanted is UNSET else wanted
        self._put(_State(seq, recorded.position, name, new_slug, recorded.header.stream_version))

    def _put(self, state: _State) -> None:
        slug = self._slug(state)
        self._db.execute(
            "INSERT INTO author_state VALUES (?, ?, ?, ?, ?, ?)",
            (state.seq, state.at, state.name, slug, state.wanted, state.version),
        )
        self._db.execute("INSERT OR IGNORE INTO author_slug VALUES (?, ?, ?)", (slug, state.seq, state.at))

    def _slug(self, state: _State) -> str:
        """Return the slug of an author from an event on. It gets a number if another author has or had it."""
        if state.wanted is None:
            return self._last(state.seq)[1]
        base = state.wanted or slugs.derive(state.name, fallback=SlugKind.AUTHOR.value)
        candidates = (slugs.numbered(base, number) for number in count(1))
        return next(slug for slug in candidates if self._owner(slug) in {None, state.seq})

    def _owner(self, slug: str) -> int | None:
        row = self._db.execute(_OWNER, (slug,)).fetchone()
        return int(row[0]) if row else None

    def _last(self, seq: int) -> tuple[str, str]:
        """Return the name and the slug of an author."""
        row: tuple[str, str] = self._db.execute(_LAST, (seq,)).fetchone()
        return row
