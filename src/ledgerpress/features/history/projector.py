"""The index of the history: who changed what, when, and at which position of the log.

The index holds no content, so the withdrawal of a payload leaves nothing here. Payloads are read from the log by
position, and changed values from the other read models.
"""

import sqlite3
from functools import lru_cache
from typing import Final

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event, remaining_event
from ledgerpress.eventlog.kernel_events import PayloadWithdrawn
from ledgerpress.eventlog.unknown_third_party_events import feature_of
from ledgerpress.views.projection.projector_interface_and_composition import no_text_to_erase, write_all

_KEYS: Final = f"SELECT {', '.join(['(SELECT k FROM change_key WHERE name = ?)'] * 5)}"  # noqa: S608
_OWN_STREAMS: Final = ("post.", "author.", "actor.", "page.")
"""Kinds of streams in which each stream is a subject; in the other kinds, the kind itself is the subject."""


class _Changes:
    """The buffered rows of one transaction, and the keys of the names in them."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._keys: dict[str | None, int | None] = {None: None}
        self._last_key: int | None = None
        self._new_keys: list[tuple[int, str]] = []
        self._changes: list[tuple[object, ...]] = []
        self._in_categories: list[tuple[object, ...]] = []
        self._withdrawn: list[tuple[object, object]] = []

    def apply(self, recorded: Recorded[Event]) -> None:
        header, event, keys = recorded.header, recorded.event, self._keys
        type_name, actor_id, represented = header.type, header.actor_id, header.on_behalf_of_actor_id
        subject_name, stream = _subject(header.stream, type_name, event), header.stream
        category_id = _category_id(type_name, event) if stream.startswith("post.") else None
        category_name = None if category_id is None else f"category.{category_id}"
        names = (type_name, actor_id, subject_name, represented, category_name)
        for name in names:
            if name not in keys:
                self._find(names)
                break
        type_, actor, subject = keys[type_name], keys[actor_id], keys[subject_name]
        on_behalf_of, category = keys[represented], keys[category_name]
        position, version, at = header.position, header.stream_version, header.recorded_at
        self._changes.append((position, subject, version, type_, actor, on_behalf_of, at))
        if category is not None:
            self._in_categories.append((category, type_, position, actor))
        if isinstance(event, PayloadWithdrawn):
            self._withdrawn.append((position, event.header.get("position")))

    def flush(self) -> None:
        write_all(self._db, "INSERT INTO change_key VALUES (?, ?)", self._new_keys)
        write_all(self._db, "INSERT INTO change VALUES (?, ?, ?, ?, ?, ?, ?, NULL)", self._changes)
        write_all(self._db, "INSERT INTO change_in_category VALUES (?, ?, ?, ?)", self._in_categories)
        write_all(self._db, "UPDATE change SET withdrawn = ? WHERE position = ?", self._withdrawn)

    def _find(self, names: tuple[str | None, ...]) -> None:
        """Find the keys of `names`. Names without a key get the next ones, in order."""
        keys = self._keys
        for name, key in zip(names, self._db.execute(_KEYS, names).fetchone(), strict=True):
            if name not in keys:
                keys[name] = self._next_key(str(name)) if key is None else key

    def _next_key(self, name: str) -> int:
        if self._last_key is None:
            (self._last_key,) = self._db.execute("SELECT coalesce(max(k), 0) FROM change_key").fetchone()
        self._last_key += 1
        self._new_keys.append((self._last_key, name))
        return self._last_key


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
            subject INTEGER NOT NULL,     -- 'post.<id>', 'category.<id>', 'author.<id>', 'actor.<id>', 'page.<id>', or 'site', 'slug' …
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
    if stream.startswith(_OWN_STREAMS) or feature_of(stream) is not None:
        return stream
    category_id = _category_id(type_, event)
    return stream.partition(".")[0] if category_id is None else f"category.{category_id}"


def _category_id(type_: str, event: Event) -> str | None:
    """Return the category that the event refers to, if any.

    Return `None` for events of third-party features, so that processes write the same rows with and without the
    feature.
    """
    event = remaining_event(event)
    if not _refers_to_category(type(event)) or feature_of(type_) is not None:
        return None
    category_id: str | None = event.category_id  # type: ignore[attr-defined]
    return category_id


@lru_cache
def _refers_to_category(event_type: type[Event]) -> bool:
    return "category_id" in event_type.__struct_fields__
