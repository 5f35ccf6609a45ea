"""The index of the history: who changed what, when, and at which position of the log.

It holds no text. What was written is read from the log by position, and what it changed from the other read models,
so that a payload withdrawn by law leaves nothing here.
"""

import sqlite3
from collections import defaultdict
from typing import Final

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.kernel_events import PayloadWithdrawn
from ledgerpress.eventlog.unknown_third_party_events import feature_of
from ledgerpress.views.projection.projector_interface_and_composition import write_all

_INSERT_CHANGE: Final = "INSERT INTO change VALUES (?, ?, ?, ?, ?, ?, ?, NULL)"
_INSERT_IN_CATEGORY: Final = "INSERT INTO change_in_category VALUES (?, ?, ?, ?)"
_WITHDRAW: Final = "UPDATE change SET withdrawn = ? WHERE position = ?"
_OWN_STREAMS: Final = ("post", "author", "actor")
"""Kinds of streams of which each is a subject of its own; of the others the kind is."""


class _Changes:
    """The buffered rows of one transaction, and the numbers of the names in them."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._keys: dict[str, int] = {}
        self._rows = defaultdict[str, list[tuple[object, ...]]](list)

    def apply(self, recorded: Recorded[Event]) -> None:
        header, event = recorded.header, recorded.event
        keys = self._keys
        type_ = keys.get(header.type) or self._key(header.type)
        actor = keys.get(header.actor_id) or self._key(header.actor_id)
        about = _subject(header.stream, header.type, event)
        subject = keys.get(about) or self._key(about)
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
                add = "INSERT INTO change_key (name) VALUES (?) RETURNING k"
                row = self._db.execute(add, (name,)).fetchone()
            key = self._keys[name] = int(row[0])
        return key


class ChangesProjector:
    """Writes a row an event, and one more for each category that a post enters or leaves.

    `position` is the row id, and so the last column of every index: each lists positions in order. Names that
    repeat (subjects, types, actors, categories) are stored once, under a number.
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


def _subject(stream: str, type_: str, event: Event) -> str:
    """Return the name of what the event is a change of; a withdrawal is one of what the lost event had changed."""
    if isinstance(event, PayloadWithdrawn):
        stream = str(event.header.get("stream"))
    kind = stream.partition(".")[0]
    if kind in _OWN_STREAMS or feature_of(stream) is not None:
        return stream
    category_id = _category_id(type_, event)
    return kind if category_id is None else f"category.{category_id}"


def _category_id(type_: str, event: Event) -> str | None:
    """Return the category that the event names.

    An event of a third-party feature names none: processes with and without the feature write the same rows.
    """
    return None if feature_of(type_) is not None else getattr(event, "category_id", None)
