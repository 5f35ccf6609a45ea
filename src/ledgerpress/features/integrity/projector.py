"""The Merkle tree of the log, so that its root and its proofs take a few look-ups (RFC 9162, section 2.1)."""

import sqlite3
from typing import Final

from ledgerpress.eventlog import merkle
from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event import Event
from ledgerpress.features.integrity.merkle_queries import subtree_id
from ledgerpress.views.projection.projector_interface import ProjectorBatch, write_all


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

    def begin(self, db: sqlite3.Connection) -> ProjectorBatch:
        return _Subtrees(db)


class _Subtrees:
    """Rows to be written together, and the hashes among them of left subtrees whose sibling is not complete yet."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._rows: list[tuple[int, bytes]] = []
        self._waiting: dict[tuple[int, int], bytes] = {}

    def apply(self, recorded: Recorded[Event]) -> None:
        """Add the event's leaf, and the subtrees that it makes complete: their ids follow one another."""
        header = recorded.header
        size, level, node = header.position, 0, header.leaf_hash()
        row_id = subtree_id(0, size - 1)
        self._rows.append((row_id, node))
        while not size >> level & 1:
            number = (size >> level) - 2
            left = self._waiting.pop((level, number), None) or self._stored(level, number)
            if left is None:
                break  # An event in it was skipped: it never becomes complete.
            level, node = level + 1, merkle.node_hash(left, node)
            self._rows.append((row_id + level, node))
        self._waiting[level, (size >> level) - 1] = node

    def flush(self) -> None:
        write_all(self._db, "INSERT INTO merkle_subtree VALUES (?, ?)", self._rows)

    def _stored(self, level: int, number: int) -> bytes | None:
        select = "SELECT hash FROM merkle_subtree WHERE id = ?"
        row = self._db.execute(select, (subtree_id(level, number),)).fetchone()
        return None if row is None else bytes(row[0])
