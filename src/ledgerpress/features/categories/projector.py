"""The category tree as of any position: states, edges, and the current and former slugs of categories."""

import sqlite3
from typing import Final

from msgspec import UNSET

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn, remaining_event
from ledgerpress.features.categories import model
from ledgerpress.views.projection.projector_interface_and_composition import ImmediateProjector
from ledgerpress.views.temporal_and_step_rows import OPEN, TemporalRows, TemporalTable

ROOT: Final = 0
"""The parent of top-level categories."""
CHILD: Final = 0
TAKEN_OVER: Final = 1

_STATE: Final = ("slug", "name", "description", "parent", "merged_into", "deleted")
_LAST_STATE: Final = (
    f"SELECT {', '.join(_STATE)} FROM category_state WHERE seq = ? ORDER BY from_pos DESC LIMIT 1"  # noqa: S608
)
_EDGES: Final = TemporalTable("category_edge", "parent, from_pos, category, to_pos, kind", key="category")
_SLUGS: Final = TemporalTable("category_slug", "slug, from_pos, seq, to_pos", key="slug")


def _apply(recorded: Recorded[Event], db: sqlite3.Connection) -> None:
    position, version = recorded.position, recorded.header.stream_version
    match remaining_event(recorded.event):
        case model.CategoryCreated() as created:
            db.execute("INSERT INTO category VALUES (?, ?)", (position, created.category_id))
            parent = _seq(db, created.parent_id)
            db.execute(
                "INSERT INTO category_state VALUES (?, ?, ?, ?, ?, ?, ?, NULL, 0)",
                (position, position, version, created.slug, created.name, created.description, parent),
            )
            _open_edge(db, parent, position, position, CHILD)
            _open_slug(db, created.slug, position, position)
        case model.CategoryRenamed(category_id=category_id, name=name, slug=slug):
            changes = {
                column: value for column, value in (("name", name), ("slug", slug)) if value is not UNSET
            }
            seq = _change(db, _seq(db, category_id), position, version, **changes)
            if seq and slug is not UNSET:
                _open_slug(db, slug, seq, position)
        case model.CategoryDescribed(category_id=category_id, description=description):
            _change(db, _seq(db, category_id), position, version, description=description)
        case model.CategoryMoved(category_id=category_id, parent_id=parent_id):
            parent = _seq(db, parent_id)
            if seq := _change(db, _seq(db, category_id), position, version, parent=parent):
                _open_edge(db, parent, seq, position, CHILD)
        case model.CategoryMerged(category_id=category_id, into_id=into_id):
            into = _seq(db, into_id)
            if seq := _change(db, _seq(db, category_id), position, version, merged_into=into):
                _merge(db, seq, into, position, version)
        case model.CategoryDeleted(category_id=category_id):
            if seq := _change(db, _seq(db, category_id), position, version, deleted=1):
                edges = TemporalRows(db, _EDGES)
                edges.close(position, seq)
                edges.flush()
                _close_slugs(db, seq, position)
        case _:
            pass


def _seq(db: sqlite3.Connection, category_id: str | None) -> int:
    if category_id is None:
        return ROOT
    row = db.execute("SELECT seq FROM category WHERE id = ?", (category_id,)).fetchone()
    return int(row[0]) if row else ROOT


def _change(db: sqlite3.Connection, seq: int, position: int, version: int, **changes: object) -> int:
    """Add a state of a category, if the category is known (`seq` is not 0), and return `seq`."""
    if seq:
        row = db.execute(_LAST_STATE, (seq,)).fetchone()
        state = dict(zip(_STATE, row, strict=True)) | changes
        values = (seq, position, version, *(state[name] for name in _STATE))
        db.execute("INSERT INTO category_state VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    return seq


def _merge(db: sqlite3.Connection, seq: int, into: int, position: int, version: int) -> None:
    _open_edge(db, into, seq, position, TAKEN_OVER)
    _change(db, into, position, version)
    children = db.execute(
        "SELECT category FROM category_edge WHERE parent = ? AND to_pos = ? AND kind = ?", (seq, OPEN, CHILD)
    ).fetchall()
    for (child,) in children:
        _change(db, child, position, version, parent=into)
        _open_edge(db, into, child, position, CHILD)


def _open_edge(db: sqlite3.Connection, parent: int, category: int, position: int, kind: int) -> None:
    """Put a category under a parent, and close its previous edge."""
    edges = TemporalRows(db, _EDGES)
    edges.close(position, category)
    edges.put([parent, position, category, OPEN, kind])
    edges.flush()


def _open_slug(db: sqlite3.Connection, slug: str, seq: int, position: int) -> None:
    """Let a slug lead to a category, unless the slug already leads to a category."""
    slugs = TemporalRows(db, _SLUGS)
    if slugs.find(slug) is None:
        slugs.put([slug, position, seq, OPEN])
        slugs.flush()


def _close_slugs(db: sqlite3.Connection, seq: int, position: int) -> None:
    """Close all slugs that lead to a category, or to a category that was merged into it."""
    db.execute(
        "WITH RECURSIVE gone (seq) AS (VALUES (:seq) UNION SELECT edge.category FROM category_edge AS edge"
        " JOIN gone ON edge.parent = gone.seq WHERE edge.kind = :kind AND edge.to_pos = :open)"
        " UPDATE category_slug SET to_pos = :position WHERE seq IN gone AND to_pos = :open",
        {"seq": seq, "kind": TAKEN_OVER, "position": position, "open": OPEN},
    )


def _delete_rows(db: sqlite3.Connection, _: str) -> None:
    for table in ("category", "category_state", "category_edge", "category_slug"):
        db.execute(f"DELETE FROM {table}")  # noqa: S608


# One state row for each change, and edges that are valid from one position to another. `seq` is the position at which a
# category was created. An edge of the kind `TAKEN_OVER` leads from a category to one that was merged into it.
PROJECTOR: Final = ImmediateProjector(
    name="categories",
    version=1,
    schema="""
        CREATE TABLE category (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT;
        CREATE TABLE category_state (
            seq INTEGER NOT NULL, from_pos INTEGER NOT NULL,
            version INTEGER NOT NULL, slug TEXT NOT NULL, name TEXT NOT NULL, description TEXT,
            parent INTEGER NOT NULL,      -- the seq of the parent, 0 at the top
            merged_into INTEGER,          -- the seq of the category that stands for this one now
            deleted INTEGER NOT NULL,
            PRIMARY KEY (seq, from_pos)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE category_edge (
            parent INTEGER NOT NULL, from_pos INTEGER NOT NULL, category INTEGER NOT NULL,
            to_pos INTEGER NOT NULL, kind INTEGER NOT NULL,
            PRIMARY KEY (parent, from_pos, category)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX category_edge_open ON category_edge (category) WHERE to_pos = 9007199254740991;
        CREATE TABLE category_slug (
            slug TEXT NOT NULL, from_pos INTEGER NOT NULL, seq INTEGER NOT NULL,
            to_pos INTEGER NOT NULL,
            PRIMARY KEY (slug, from_pos)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX category_slug_open ON category_slug (seq) WHERE to_pos = 9007199254740991;
    """,
    events=frozenset({*(event.type for event in model.EVENTS), Withdrawn}),
    apply=_apply,
    delete_rows={"taxonomy": _delete_rows},
)
