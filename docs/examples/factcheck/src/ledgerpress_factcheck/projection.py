"""The checks in the views, as of any position, and the listing of checked articles."""

import sqlite3
from typing import Final

from ledgerpress import feature
from ledgerpress.feature import Event, MemberChange, Recorded, Snapshot, Topic, Withdrawn
from ledgerpress_factcheck.model import CHECKED, CHECKS, PostChecked


def apply(recorded: Recorded[Event], db: sqlite3.Connection) -> None:
    """Write a row for each check; a check whose payload was withdrawn has no values."""
    event = recorded.event
    if recorded.header.type == CHECKED:
        values = (event.passed, event.note) if isinstance(event, PostChecked) else (None, None)
        row = (CHECKS.id_in(recorded.header.stream), recorded.position, *values)
        db.execute("INSERT INTO x_factcheck_check VALUES (?, ?, ?, ?)", row)


def listed(recorded: Recorded[Event]) -> list[MemberChange]:
    return [MemberChange(CHECKS.id_in(recorded.header.stream))] if recorded.header.type == CHECKED else []


def topic(post_id: str) -> Topic:
    return Topic("x.factcheck", post_id)


def checks_of(snapshot: Snapshot, post_id: str) -> list[tuple[bool | None, str | None]]:
    """Return the result and the note of each check of a post, oldest first."""
    query = "SELECT passed, note FROM x_factcheck_check WHERE post_id = ? AND position <= ?"
    return snapshot.about(topic(post_id)).execute(query, (post_id, snapshot.position)).fetchall()


DELETE_ROWS: Final = "DELETE FROM x_factcheck_check WHERE post_id = ?"
EVENTS: Final = frozenset[type[Event]]({PostChecked, Withdrawn})
PROJECTOR: Final = feature.ImmediateProjector(
    name="x.factcheck",
    version=1,
    schema="""CREATE TABLE x_factcheck_check (
        post_id TEXT NOT NULL, position INTEGER NOT NULL, passed INTEGER, note TEXT, PRIMARY KEY (post_id, position)
    ) STRICT, WITHOUT ROWID;""",
    events=EVENTS,
    apply=apply,
    delete_rows={CHECKS.prefix: lambda db, stream: db.execute(DELETE_ROWS, (CHECKS.id_in(stream),))},
)
LISTINGS: Final = feature.NamedListings(
    "x.factcheck", tables="x_factcheck", events=EVENTS, changes=listed, text_of=frozenset()
)
DEPENDENCIES: Final = (feature.DependencyRule.by_type({CHECKED: []}, subject=topic), LISTINGS.dependencies)
