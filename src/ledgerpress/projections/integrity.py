"""The Merkle tree of the log, so that its root and its proofs take a few look-ups (RFC 9162, section 2.1)."""

import sqlite3
from typing import Final

from ledgerpress.domain.event import Event
from ledgerpress.eventlog import merkle
from ledgerpress.eventlog.codec import Recorded
from ledgerpress.readmodels.integrity import subtree_id


class IntegrityProjector:
    """Keeps the hash of every complete subtree: fewer than two rows an event."""

    name: Final = "integrity"
    version: Final = 1
    schema: Final = """
        CREATE TABLE merkle_subtree (
            id INTEGER PRIMARY KEY,     -- how many subtrees were complete before it
            hash BLOB NOT NULL          -- SHA-256, 32 bytes
        ) STRICT;
    """
    indexes: Final = ""

    def apply(self, recorded: Recorded[Event], db: sqlite3.Connection) -> None:
        """Add the event's leaf, and the subtrees that it makes complete."""
        leaf = recorded.position - 1
        found = recorded.header.leaf_hash()
        rows = [(subtree_id(0, leaf), found)]
        for level, number in merkle.completed_by(leaf):
            left = db.execute(
                "SELECT hash FROM merkle_subtree WHERE id = ?", (subtree_id(level - 1, 2 * number),)
            ).fetchone()
            if left is None:
                break  # An event in it was skipped: it never becomes complete.
            found = merkle.node_hash(left[0], found)
            rows.append((subtree_id(level, number), found))
        db.executemany("INSERT INTO merkle_subtree VALUES (?, ?)", rows)
