"""The publications of each post, numbered, as a part of the projection `posts`.

The number of a published revision on pages is that of its publication: the number of the content revision would show how
many drafts there were. The rows contain no text and no actor.
"""

import sqlite3
from typing import Final

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn
from ledgerpress.features.posts.model import POSTS, PostPublished
from ledgerpress.views.projection.projector_interface_and_composition import ImmediateProjector

_PUBLISHED: Final = "post.published"
_INSERT: Final = """
    INSERT INTO publication
    SELECT ?1, ?2, 1 + coalesce((SELECT max(number) FROM publication WHERE post_id = ?2), 0), ?3
"""


def _apply(recorded: Recorded[Event], db: sqlite3.Connection) -> None:
    event, header = recorded.event, recorded.header
    if isinstance(event, Withdrawn) and event.type != _PUBLISHED:
        return
    db.execute(_INSERT, (header.position, POSTS.id_in(header.stream), header.recorded_at))


def _delete_rows(db: sqlite3.Connection, stream: str) -> None:
    db.execute("DELETE FROM publication WHERE post_id = ?", (POSTS.id_in(stream),))


PROJECTOR: Final = ImmediateProjector(
    name="posts",
    version=1,
    schema="""
        CREATE TABLE publication (
            position INTEGER PRIMARY KEY,
            post_id TEXT NOT NULL,
            number INTEGER NOT NULL,            -- 1 for the first publication of the post
            recorded_at INTEGER NOT NULL
        ) STRICT;
        CREATE UNIQUE INDEX publication_of ON publication (post_id, number);
    """,
    indexes="CREATE INDEX later_publication ON publication (position) WHERE number > 1;",
    events=frozenset({PostPublished, Withdrawn}),
    apply=_apply,
    delete_rows={POSTS.prefix: _delete_rows},
)
