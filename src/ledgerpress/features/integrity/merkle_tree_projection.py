"""The Merkle tree of the log: its projection, and its roots and proofs for the current size and all earlier sizes.

The tree follows RFC 9162, section 2.1. Its size is the position of its last event; the event at position 1 is leaf 0.
If the projection skipped an event, roots and proofs that need its leaf raise `TreeIncomplete`. `ledgerpress verify`
reads the log instead.
"""

import sqlite3
from functools import partial
from typing import Final

from ledgerpress.eventlog import merkle
from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.errors import EventLogError
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.merkle import TREE_HEAD_VERSION, TreeHead
from ledgerpress.views import recorded_time_positions as recorded_time
from ledgerpress.views.projection.projector_interface_and_composition import no_text_to_erase, write_all
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot


class TreeIncomplete(EventLogError):
    """The tree in the views lacks the leaf of a skipped event, so it has no roots from that event on."""


def subtree_id(level: int, number: int) -> int:
    """Return the key of a complete subtree's row: the number of subtrees that were complete before it.

    Therefore rows are only appended to their table, and the rows of an event have consecutive keys.
    """
    leaf = ((number + 1) << level) - 1
    return 2 * leaf - leaf.bit_count() + level


def tree_head(snapshot: Snapshot, publication: str) -> TreeHead:
    """Return the tree head of the log as of the snapshot's position."""
    time = recorded_time.time_of(snapshot)
    return TreeHead(TREE_HEAD_VERSION, publication, snapshot.position, root(snapshot).hex(), time)


def root(snapshot: Snapshot, size: int | None = None) -> bytes:
    """Return the root of the tree of the first `size` events; without `size`, of all events.

    Raises `ValueError` if the log has fewer events, and `TreeIncomplete` if the tree lacks a leaf.
    """
    return merkle.root(_checked(snapshot, size), partial(_subtree, snapshot))


def inclusion_proof(snapshot: Snapshot, position: int, size: int | None = None) -> list[bytes]:
    """Return the proof that the event at `position` is among the first `size` events; without `size`, among all events.

    Raises `ValueError` if it is not, and `TreeIncomplete` if the tree lacks a leaf.
    """
    return merkle.inclusion_proof(position - 1, _checked(snapshot, size), partial(_subtree, snapshot))


def consistency_proof(snapshot: Snapshot, old: int, size: int | None = None) -> list[bytes]:
    """Return the proof that the log of `old` events is a prefix of the log of `size` events.

    Without `size`, the latter is the whole log. Raises `ValueError` if a size is out of range, and `TreeIncomplete` if the tree lacks a leaf.
    """
    return merkle.consistency_proof(old, _checked(snapshot, size), partial(_subtree, snapshot))


def leaf_hashes(snapshot: Snapshot, after: int, limit: int) -> dict[int, bytes]:
    """Return the leaf hashes of up to `limit` events with positions greater than `after`, by position."""
    ids = {subtree_id(0, position - 1): position for position in range(after + 1, after + limit + 1)}
    rows = snapshot.db.execute(
        "SELECT id, hash FROM merkle_subtree WHERE id BETWEEN ? AND ?", (min(ids), max(ids))
    )
    return {ids[row_id]: leaf for row_id, leaf in rows if row_id in ids}


def _checked(snapshot: Snapshot, size: int | None) -> int:
    if size is None:
        return snapshot.position
    if not 0 <= size <= snapshot.position:
        raise ValueError(f"no tree of size {size}; sizes run from 0 to {snapshot.position} in this snapshot")
    return size


def _subtree(snapshot: Snapshot, level: int, number: int) -> bytes:
    node = _stored(snapshot.db, subtree_id(level, number))
    if node is None:
        raise TreeIncomplete("the tree lacks a leaf: projection integrity skipped an event")
    return node


def _stored(db: sqlite3.Connection, id: int) -> bytes | None:
    row = db.execute("SELECT hash FROM merkle_subtree WHERE id = ?", (id,)).fetchone()
    return None if row is None else bytes(row[0])


class _Subtrees:
    """The rows of one batch, and the hashes of its left subtrees whose sibling is not complete yet."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._rows: list[tuple[int, bytes]] = []
        self._waiting: dict[int, bytes] = {}

    def apply(self, recorded: Recorded[Event]) -> None:
        """Add the event's leaf and the subtrees that it completes, which have consecutive ids."""
        header, rows, waiting = recorded.header, self._rows, self._waiting
        level, complete, node = 0, header.position, header.leaf_hash()
        row_id = subtree_id(0, complete - 1)
        rows.append((row_id, node))
        while not complete & 1:
            left_id = subtree_id(level, complete - 2)
            left = waiting.pop(left_id, None) or _stored(self._db, left_id)
            if left is None:
                break  # An event in this subtree was skipped, so it never becomes complete.
            level, complete, row_id = level + 1, complete >> 1, row_id + 1
            node = merkle.node_hash(left, node)
            rows.append((row_id, node))
        waiting[row_id] = node

    def flush(self) -> None:
        write_all(self._db, "INSERT INTO merkle_subtree VALUES (?, ?)", self._rows)


class IntegrityProjector:
    """Stores the hash of every complete subtree: on average, fewer than two rows for each event."""

    name: Final = "integrity"
    version: Final = 1
    schema: Final = """
        CREATE TABLE merkle_subtree (
            id INTEGER PRIMARY KEY,     -- how many subtrees were complete before it
            hash BLOB NOT NULL          -- SHA-256, 32 bytes
        ) STRICT;
    """
    indexes: Final = ""

    begin: Final = _Subtrees

    erase = no_text_to_erase
