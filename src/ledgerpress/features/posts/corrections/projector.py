"""Corrections as of any position. They are a part of the projection `posts`.

A text is stored once, with the position of the event that contains it as its key, so that a withdrawal of that event
finds it. A correction has one row for each of its states, which refers to its texts.
"""

import sqlite3
from typing import Final

from msgspec import UNSET

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn
from ledgerpress.features.posts.corrections import model
from ledgerpress.features.posts.model import POSTS, PostPublished
from ledgerpress.views.projection.projector_interface_and_composition import ImmediateProjector
from ledgerpress.views.temporal_and_step_rows import OPEN

_TEXT: Final = "INSERT INTO correction_text VALUES (?, ?, ?)"
_RECORD: Final = """
    INSERT INTO correction SELECT ?1, ?2, ?3, ?4, ?2, ?5, ?6, ?7, ?2, ?8, NULL, NULL, NULL, NULL
    WHERE NOT EXISTS (SELECT 1 FROM correction WHERE id = ?1)
"""
# A new state of a correction that is not retracted; null leaves a value unchanged.
_REWORD: Final = """
    INSERT INTO correction
    SELECT id, :at, to_pos, post_id, position, recorded_at, revision, coalesce(:kind, kind),
        coalesce(:note, note), CASE WHEN :sets_passage THEN :passage ELSE passage END, :now, :at, NULL, NULL
    FROM correction WHERE id = :id AND to_pos = :open AND retracted_at IS NULL
"""
_RETRACT: Final = """
    INSERT INTO correction
    SELECT id, :at, to_pos, post_id, position, recorded_at, revision, kind, note, passage, reworded_at, reworded_by, :now, :at
    FROM correction WHERE {which} AND to_pos = :open AND retracted_at IS NULL
"""
_RETRACT_ONE: Final = _RETRACT.format(which="id = :id")
_RETRACT_ALL: Final = _RETRACT.format(which="post_id = :post_id")
_CLOSE: Final = """
    UPDATE correction SET to_pos = :at
    WHERE post_id = :post_id AND to_pos = :open AND from_pos < :at
        AND id IN (SELECT id FROM correction WHERE post_id = :post_id AND from_pos = :at)
"""


def _apply(recorded: Recorded[Event], db: sqlite3.Connection) -> None:
    if isinstance(recorded.event, PostPublished) and recorded.event.correction is None:
        return
    event, at, header = model.remaining_change(recorded.event), recorded.position, recorded.header
    post_id = POSTS.id_in(header.stream)
    new = model.recorded_correction(event, header.stream_version)
    values = {"at": at, "now": header.recorded_at, "open": OPEN, "post_id": post_id}
    if new is not None:
        passage_at = None if new.passage is None else at
        row = (new.correction_id, at, OPEN, post_id, header.recorded_at, new.revision, new.kind, passage_at)
        if db.execute(_RECORD, row).rowcount:
            db.execute(_TEXT, (at, new.note, new.passage))
    elif isinstance(event, model.CorrectionReworded):
        note = None if event.note is UNSET else event.note
        passage = None if event.passage is UNSET else event.passage
        values |= {
            "id": event.correction_id,
            "kind": None if event.kind is UNSET else event.kind,
            "note": None if note is None else at,
            "sets_passage": event.passage is not UNSET,
            "passage": None if passage is None else at,
        }
        if db.execute(_REWORD, values).rowcount:
            db.execute(_CLOSE, values)
            if note is not None or passage is not None:
                db.execute(_TEXT, (at, note, passage))
    elif isinstance(event, model.CorrectionRetracted):
        if db.execute(_RETRACT_ONE, values | {"id": event.correction_id}).rowcount:
            db.execute(_CLOSE, values)
    elif model.retracts_all(event) and db.execute(_RETRACT_ALL, values).rowcount:
        db.execute(_CLOSE, values)


def _delete_rows(db: sqlite3.Connection, stream: str) -> None:
    post_id = (POSTS.id_in(stream),)
    db.execute(
        "DELETE FROM correction_text WHERE position IN (SELECT from_pos FROM correction WHERE post_id = ?)",
        post_id,
    )
    db.execute("DELETE FROM correction WHERE post_id = ?", post_id)


PROJECTOR: Final = ImmediateProjector(
    name="posts",
    version=1,
    schema="""
        CREATE TABLE correction_text (
            position INTEGER PRIMARY KEY,       -- of the event that contains the text
            note TEXT, passage TEXT
        ) STRICT;
        CREATE TABLE correction (
            id TEXT NOT NULL, from_pos INTEGER NOT NULL, to_pos INTEGER NOT NULL, post_id TEXT NOT NULL,
            position INTEGER NOT NULL,          -- at which it was recorded
            recorded_at INTEGER NOT NULL, revision INTEGER NOT NULL, kind TEXT NOT NULL,
            note INTEGER NOT NULL, passage INTEGER, -- the positions of the texts
            reworded_at INTEGER, reworded_by INTEGER, retracted_at INTEGER, retracted_by INTEGER,
            PRIMARY KEY (id, from_pos)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX correction_of ON correction (post_id, from_pos);
    """,
    indexes="CREATE INDEX correction_at ON correction (position);",
    events=frozenset(
        {
            PostPublished,
            model.CorrectionRecorded,
            model.CorrectionReworded,
            model.CorrectionRetracted,
            Withdrawn,
        }
    ),
    apply=_apply,
    delete_rows={POSTS.prefix: _delete_rows},
)
