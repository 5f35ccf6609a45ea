"""The Merkle tree of the log: its root and its proofs, at any size that it ever had (RFC 9162, section 2.1).

The size of the tree is the position of the last event in it; the event at position 1 is leaf 0. Where an event was
skipped, a root or a proof that needs its leaf raises `TreeIncomplete`; `ledgerpress verify` uses the log.
"""

from functools import partial

from ledgerpress.eventlog import merkle
from ledgerpress.eventlog.errors import EventLogError
from ledgerpress.eventlog.merkle import TREE_HEAD_VERSION, TreeHead
from ledgerpress.views import recorded_time_positions as recorded_time
from ledgerpress.views.snapshot import Snapshot


class TreeIncomplete(EventLogError):
    """The tree in the views lacks the leaf of an event that was skipped, and so has no root from there on."""


def subtree_id(level: int, number: int) -> int:
    """Return the key of a complete subtree's row: how many subtrees were complete before it.

    So rows are only ever added at the end of their table, and those of an event follow one another.
    """
    leaf = ((number + 1) << level) - 1
    return 2 * leaf - leaf.bit_count() + level


def tree_head(snapshot: Snapshot, publication: str) -> TreeHead:
    """Return the head of the log as it was at the snapshot's position."""
    time = recorded_time.time_of(snapshot)
    return TreeHead(TREE_HEAD_VERSION, publication, snapshot.position, root(snapshot).hex(), time)


def root(snapshot: Snapshot, size: int | None = None) -> bytes:
    """Return the root of the tree of the first `size` events, of all by default. Raises `ValueError`."""
    return merkle.root(_checked(snapshot, size), partial(_subtree, snapshot))


def inclusion_proof(snapshot: Snapshot, position: int, size: int | None = None) -> list[bytes]:
    """Return the proof that the event at `position` is among the first `size` events.

    Raises `ValueError` where it is not.
    """
    return merkle.inclusion_proof(position - 1, _checked(snapshot, size), partial(_subtree, snapshot))


def consistency_proof(snapshot: Snapshot, old: int, size: int | None = None) -> list[bytes]:
    """Return the proof that the log of `size` events begins with that of `old` events. Raises `ValueError`."""
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
        raise ValueError(f"the log has {snapshot.position} events here, and so no tree of {size}")
    return size


def _subtree(snapshot: Snapshot, level: int, number: int) -> bytes:
    row = snapshot.db.execute(
        "SELECT hash FROM merkle_subtree WHERE id = ?", (subtree_id(level, number),)
    ).fetchone()
    if row is None:
        raise TreeIncomplete("the tree lacks a leaf: projection integrity skipped an event")
    return bytes(row[0])
