"""The index of the history: who changed what, when, and at which position of the log.

The index holds no content, so the withdrawal of a payload leaves nothing here. Payloads are read from the log by
position, and changed values from the other read models.
"""

import sqlite3
from collections import defaultdict
from typing import Final

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event, remaining_event
from ledgerpress.eventlog.kernel_events import PayloadWithdrawn
from ledgerpress.eventlog.unknown_third_party_events import feature_of
from ledgerpress.views.projection.projector_interface_and_composition import no_text_to_erase, write_all

_INSERT_CHANGE: Final = "INSERT INTO change VALUES (?, ?, ?, ?, ?, ?, ?, NULL)"
_INSERT_IN_CATEGORY: Final = "INSERT INTO change_in_category VALUES (?, ?, ?, ?)"
_WITHDRAW: Final = "UPDATE change SET withdrawn = ? WHERE position = ?"
_OWN_STREAMS: Final = ("post", "author", "actor")
"""Kinds of streams in which each stream is a subject; in the other kinds, the kind itself is the subject."""


class _Changes:
    """The buffered rows of one transaction, and the keys of the names in them."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._keys: dict[str, int] = {}
        self._rows = defaultdict[str, list[tuple[object, ...]]](list)

    def apply(self, recorded: Recorded[Event]) -> None:
        header, event = recorded.header, recorded.event
        keys = self._keys
        type_ = keys.get(header.type) or self._key(header.type)
        actor = keys.get(header.actor_id) or self._key(header.actor_id)
        subject_name = _subject(header.stream, header.type, event)
        subject = keys.get(subject_name) or self._key(subject_name)
        represented = header.on_behalf_of_actor_id
        on_behalf_of = None if represented is None else self._key(represented)
        version, at = header.stream_version, header.recorded_at
        self._rows[_INSERT_CHANGE].append((header.position, subject, version, type_, actor, on_behalf_of, at))
        category_id = _category_id(header.type, event)
        if category_id is not None and header.stream.startswith("post."):
            category = self._key(f"category.{category_id}")
            self._rows[_INSERT_IN_CATEGORY].append((category, type_, header.position, actor))
        if isinstance(event, PayloadWithdrawn):
            self._rows[_WITHDRAW].append((header.position, event.header.get("position")))

    def flush(self) -> None:
        for statement, rows in self._rows.items():
            write_all(self._db, statement, rows)

    def _key(self, name: str) -> int:
        key = self._keys.get(name)
        if key is None:
            row = self._db.execute("SELECT k FROM change_key WHERE name = ?", (name,)).fetchone()
            if row is None:
                insert = "INSERT INTO change_key (name) VALUES (?) RETURNING k"
                row = self._db.execute(insert, (name,)).fetchone()
            key = self._keys[name] = int(row[0])
        return key


class ChangesProjector:
    """Writes one row for each event, and another for each category that a post enters or leaves.

    `position` is the row id and therefore the last column of every index, so each index lists positions in order.
    Repeated names (subjects, types, actors, categories) are stored once, with an integer key.
    """

    name: Final = "changes"
    version: Final = 1
    schema: Final = """
        CREATE TABLE change_key (k INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
        CREATE TABLE change (
            position INTEGER PRIMARY KEY,
            subject INTEGER NOT NULL,     -- 'post.<id>', 'category.<id>', 'author.<id>', 'actor.<id>', or 'site', 'slug' …
            version INTEGER NOT NULL,     -- of the event's stream
            type INTEGER NOT NULL,
            actor INTEGER NOT NULL,
            on_behalf_of INTEGER,
            recorded_at INTEGER NOT NULL, -- microseconds since 1970, UTC
            withdrawn INTEGER             -- the position at which its payload was withdrawn
        ) STRICT;
        CREATE TABLE change_in_category (
            category INTEGER NOT NULL, type INTEGER NOT NULL, position INTEGER NOT NULL, actor INTEGER NOT NULL,
            PRIMARY KEY (category, type, position)
        ) STRICT, WITHOUT ROWID;
    """
    indexes: Final = """
        CREATE INDEX change_of_subject ON change (subject);
        CREATE INDEX change_of_type ON change (type);
        CREATE INDEX change_by_actor ON change (actor, type);
        CREATE INDEX change_in_category_by_actor ON change_in_category (category, actor, type, position);
    """

    begin: Final = _Changes

    erase = no_text_to_erase


def _subject(stream: str, type_: str, event: Event) -> str:
    """Return the name of the subject that the event changed; for a withdrawal, that of the withdrawn event."""
    if isinstance(event, PayloadWithdrawn):
        stream = str(event.header.get("stream"))
    kind = stream.partition(".")[0]
    if kind in _OWN_STREAMS or feature_of(stream) is not None:
        return stream
    category_id = _category_id(type_, event)
    return kind if category_id is None else f"category.{category_id}"


def _category_id(type_: str, event: Event) -> str | None:
    """Return the category that the event refers to, if any.

    Return `None` for events of third-party features, so that processes write the same rows with and without the
    feature.
    """
    return None if feature_of(type_) is not None else getattr(remaining_event(event), "category_id", None)
