"""The category tree as of any position: states, edges, and the current and former slugs of categories."""

import sqlite3
from collections.abc import Mapping
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
_LAST_STATE: Final = f"SELECT version, from_pos, {', '.join(_STATE)} FROM category_state WHERE seq = ? ORDER BY from_pos DESC LIMIT 1"  # noqa: S608
_EDGES: Final = TemporalTable("category_edge", "parent, from_pos, category, to_pos, kind", key="category")
_MERGED: Final = """
    WITH RECURSIVE merged (seq) AS (
        VALUES (:seq)
        UNION SELECT edge.category FROM category_edge AS edge JOIN merged ON edge.parent = merged.seq
        WHERE edge.kind = :kind AND edge.to_pos = :open
    )
    SELECT seq FROM merged
"""
"""The category itself, and all categories that were merged into it."""
_SLUGS: Final = TemporalTable("category_slug", "slug, from_pos, seq, to_pos", key="slug")


def _apply(recorded: Recorded[Event], db: sqlite3.Connection) -> None:
    at = recorded.position
    match remaining_event(recorded.event):
        case model.CategoryCreated() as created:
            db.execute("INSERT INTO category VALUES (?, ?)", (at, created.category_id))
            parent = _seq(db, created.parent_id)
            db.execute(
                "INSERT INTO category_state VALUES (?, ?, 1, ?, ?, ?, ?, NULL, 0)",
                (at, at, created.slug, created.name, created.description, parent),
            )
            _open_edge(db, parent, at, at, CHILD)
            _open_slug(db, created.slug, at, at)
        case model.CategoryRenamed(category_id=category_id, name=name, slug=slug):
            changes = {
                column: value for column, value in (("name", name), ("slug", slug)) if value is not UNSET
            }
            seq = _change(db, _seq(db, category_id), at, changes)
            if seq and slug is not UNSET:
                _open_slug(db, slug, seq, at)
        case model.CategoryDescribed(category_id=category_id, description=description):
            _change(db, _seq(db, category_id), at, {"description": description})
        case model.CategoryMoved(category_id=category_id, parent_id=parent_id):
            _move(db, _seq(db, category_id), _seq(db, parent_id), at)
        case model.CategoryMerged(category_id=category_id, into_id=into_id):
            _merge(db, _seq(db, category_id), _seq(db, into_id), at)
        case model.CategoryUnmerged() as unmerged:
            _unmerge(db, unmerged, at)
        case model.CategoryDeleted(category_id=category_id):
            if seq := _change(db, _seq(db, category_id), at, {"deleted": 1}):
                edges = TemporalRows(db, _EDGES)
                edges.close(at, seq)
                edges.flush()
                _close_slugs(db, seq, at)
        case _:
            pass


def _seq(db: sqlite3.Connection, category_id: str | None) -> int:
    if category_id is None:
        return ROOT
    row = db.execute("SELECT seq FROM category WHERE id = ?", (category_id,)).fetchone()
    return int(row[0]) if row else ROOT


def _change(
    db: sqlite3.Connection, seq: int, at: int, changes: Mapping[str, object], *, is_merged: bool = False
) -> int:
    """Add a state of a category if it exists or, with `is_merged`, if it is merged. Return `seq`, or 0 if neither."""
    row = db.execute(_LAST_STATE, (seq,)).fetchone()
    if row is None:
        return 0
    version, from_pos, *values = row
    state = dict(zip(_STATE, values, strict=True))
    if state["deleted"] or is_merged is (state["merged_into"] is None):
        return 0
    state |= changes
    # An event can change a category twice, if a move was withdrawn: it merges a category into its subcategory.
    after = (seq, at, version + (from_pos != at), *(state[name] for name in _STATE))
    db.execute("INSERT OR REPLACE INTO category_state VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", after)
    return seq


def _move(db: sqlite3.Connection, seq: int, parent: int, at: int) -> None:
    if _change(db, seq, at, {"parent": parent}):
        _open_edge(db, parent, seq, at, CHILD)


def _merge(db: sqlite3.Connection, seq: int, into: int, at: int) -> None:
    """Merge a category. As in `model.evolve`, a merge into itself changes nothing."""
    merged = {"seq": seq, "kind": TAKEN_OVER, "open": OPEN}
    if (into,) in db.execute(_MERGED, merged).fetchall() or not _change(db, seq, at, {"merged_into": into}):
        return
    _open_edge(db, into, seq, at, TAKEN_OVER)
    _change(db, into, at, {})
    children = db.execute(
        "SELECT category FROM category_edge WHERE parent = ? AND to_pos = ? AND kind = ?", (seq, OPEN, CHILD)
    ).fetchall()
    for (child,) in children:
        _move(db, child, into, at)


def _unmerge(db: sqlite3.Connection, event: model.CategoryUnmerged, at: int) -> None:
    parent = _seq(db, event.parent_id)
    changes = {"merged_into": None, "parent": parent}
    seq = _change(db, _seq(db, event.category_id), at, changes, is_merged=True)
    if not seq:
        return
    into = _seq(db, event.from_id)
    _open_edge(db, parent, seq, at, CHILD)
    _change(db, into, at, {})
    for child in event.subcategory_ids:
        if child != event.from_id:
            _move(db, _seq(db, child), seq, at)


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
        f"UPDATE category_slug SET to_pos = :position WHERE seq IN ({_MERGED}) AND to_pos = :open",  # noqa: S608
        {"seq": seq, "kind": TAKEN_OVER, "position": position, "open": OPEN},
    )


def _delete_rows(db: sqlite3.Connection, _: str) -> None:
    for table in ("category", "category_state", "category_edge", "category_slug"):
        db.execute(f"DELETE FROM {table}")  # noqa: S608


# One state row for each change, and edges that are valid from one position to another. `seq` is the position at which a
# category was created. An edge of the kind `TAKEN_OVER` leads from a category to one that was merged into it.
PROJECTOR: Final = ImmediateProjector(
    name="categories",
    version=2,
    schema="""
        CREATE TABLE category (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT;
        CREATE TABLE category_state (
            seq INTEGER NOT NULL, from_pos INTEGER NOT NULL,
            version INTEGER NOT NULL,     -- counts the states of the category, from 1
            slug TEXT NOT NULL, name TEXT NOT NULL, description TEXT,
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
        CREATE INDEX category_edge_merged ON category_edge (category, from_pos) WHERE kind = 1;
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
