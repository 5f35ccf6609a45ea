"""Checkpoints: the position that each projection has reached.

They are stored in the views file, in the same transaction as the rows of the projection.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.log import EventLog
from ledgerpress.retry import poll
from ledgerpress.views.projection.projector_interface_and_composition import Projector

SCHEMA: Final = """
    CREATE TABLE projection (
        name TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        position INTEGER NOT NULL,       -- of the last event applied, 0 before the first
        leaf_hash TEXT,                  -- that event's, in hex: proof that these views belong to this log
        error TEXT,                      -- why it is paused at the event after `position`; NULL while it runs
        CHECK (position >= 0)
    ) STRICT, WITHOUT ROWID;

    -- What came out when the rows of a projection were last digested: SHA-256, in hex.
    CREATE TABLE projection_digest (
        name TEXT PRIMARY KEY, position INTEGER NOT NULL, sha256 TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE views (
        began_at INTEGER NOT NULL,       -- the head of the log when they were begun: what was withdrawn by then was never here
        taken_over TEXT NOT NULL         -- the projections whose rows were copied from other views, a JSON array
    ) STRICT;
"""
_SHARED: Final = """
    SELECT min(position), min(position) = max(position) AND count(error) = 0, max(leaf_hash), count(*) FROM projection
"""
BOOKKEEPING: Final = frozenset({"projection", "projection_digest", "views"})
"""The tables that belong to no projection."""
LOG_POLL_INTERVAL: Final = 0.25
"""Seconds between two reads of a log whose reads may miss its last events for a short time."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The position that a projection has reached; `error` is the reason why it is paused at the next event.

    `cause` is the exception behind `error`, if this process has just raised it. It is not stored.
    """

    position: int
    leaf_hash: str | None
    error: str | None = None
    cause: Exception | None = field(default=None, compare=False, repr=False)

    @property
    def is_paused(self) -> bool:
        """Whether the projection is paused."""
        return self.error is not None

    @property
    def failed_at(self) -> int | None:
        """The position of the event at which the projection is paused; `None` while it runs."""
        return self.position + 1 if self.is_paused else None


def at(recorded: Recorded[Any]) -> Checkpoint:
    """Return the checkpoint of a projection that has applied `recorded`."""
    return Checkpoint(recorded.position, recorded.header.leaf_hash().hex())


def create(db: sqlite3.Connection, projectors: Sequence[Projector], began_at: int) -> None:
    """Insert a checkpoint at the beginning of the log for each projector; `began_at` is the current head of the log."""
    db.execute("INSERT INTO views VALUES (?, '[]')", (began_at,))
    rows = [(projector.name, projector.version) for projector in projectors]
    db.executemany("INSERT INTO projection VALUES (?, ?, 0, NULL, NULL)", rows)


def read(db: sqlite3.Connection) -> dict[str, Checkpoint]:
    """Return the checkpoints by projection name."""
    rows = db.execute("SELECT name, position, leaf_hash, error FROM projection ORDER BY name")
    return {name: Checkpoint(position, leaf_hash, error) for name, position, leaf_hash, error in rows}


def read_shared(db: sqlite3.Connection, count: int) -> Checkpoint | None:
    """Return the checkpoint that all of `count` projections share.

    Returns `None` if they have different ones, if one of them is paused, or if there are other projections.
    """
    ((position, is_shared, leaf_hash, known),) = db.execute(_SHARED).fetchall()
    return Checkpoint(position, leaf_hash) if is_shared and known == count else None


def versions(db: sqlite3.Connection) -> dict[str, int]:
    """Return the version of the projector that wrote each projection's rows, by projection name."""
    return dict(db.execute("SELECT name, version FROM projection"))


def began_at(db: sqlite3.Connection) -> int:
    """Return the position of the log's head when these views were begun."""
    return int(db.execute("SELECT began_at FROM views").fetchone()[0])


def finish_erasure(db: sqlite3.Connection, began_at: int, emptied: Iterable[str]) -> None:
    """Record that no row contains a payload that was withdrawn up to the position `began_at`.

    The projections `emptied` have no rows: they begin again. Stored digests are of rows with such payloads.
    """
    db.execute("UPDATE views SET began_at = ?", (began_at,))
    db.execute("DELETE FROM projection_digest")
    db.executemany(
        "UPDATE projection SET position = 0, leaf_hash = NULL, error = NULL WHERE name = ?",
        [(name,) for name in emptied],
    )


def digests(db: sqlite3.Connection) -> dict[str, tuple[int, str]]:
    """Return the last digest of each projection's rows (SHA-256, in hex), preceded by its position."""
    rows = db.execute("SELECT name, position, sha256 FROM projection_digest")
    return {name: (position, sha256) for name, position, sha256 in rows}


def keep_digests(db: sqlite3.Connection, position: int, digests: Mapping[str, str]) -> None:
    """Store the digests of the projections' rows as of `position`."""
    rows = [(name, position, sha256) for name, sha256 in digests.items()]
    db.executemany("INSERT OR REPLACE INTO projection_digest VALUES (?, ?, ?)", rows)


def resume_all(db: sqlite3.Connection) -> dict[str, Checkpoint]:
    """Let every paused projection try again; return all checkpoints."""
    db.execute("UPDATE projection SET error = NULL WHERE error IS NOT NULL")
    return read(db)


def resume(db: sqlite3.Connection, names: Iterable[str]) -> dict[str, Checkpoint]:
    """Let the named projections try again, if they are paused; return all checkpoints."""
    db.executemany("UPDATE projection SET error = NULL WHERE name = ?", [(name,) for name in names])
    return read(db)


def save(db: sqlite3.Connection, points: Mapping[str, Checkpoint]) -> None:
    """Save checkpoints by projection name."""
    db.executemany(
        "UPDATE projection SET position = ?, leaf_hash = ?, error = ? WHERE name = ?",
        [(point.position, point.leaf_hash, point.error, name) for name, point in points.items()],
    )


def save_shared(db: sqlite3.Connection, point: Checkpoint) -> None:
    """Save the checkpoint of all projections. None of them is paused."""
    db.execute("UPDATE projection SET position = ?, leaf_hash = ?", (point.position, point.leaf_hash))


async def belong_to_log(log: EventLog, points: Iterable[Checkpoint]) -> bool:
    """Return whether the log contains, at the position of each checkpoint, the event that was applied there.

    If not, it is another log, such as one restored from a backup. For up to `log.staleness` seconds, a read of the log
    may miss its last events, so an event that is missing is polled for that long.
    """
    for point in points:

        async def read_event(position: int = point.position) -> StoredEvent | None:
            return next(iter(await log.read(position - 1, 1)), None)

        if point.position:
            event = await poll(read_event, interval=LOG_POLL_INTERVAL, timeout=log.staleness)
            if event is None or event.header.leaf_hash().hex() != point.leaf_hash:
                return False
    return True
