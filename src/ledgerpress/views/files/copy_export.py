"""Writes a views copy: the views in use as of one position, while the node serves requests and applies events.

SQLite writes to the database file only in checkpoints; commits go to the write-ahead log next to it. A read transaction
that begins when that log is empty reads only the database file. While the transaction lasts, no checkpoint may write to
the file (https://sqlite.org/walformat.html, section 2.3.1: it holds WAL_READ_LOCK(0)). So the bytes of the file do not
change, and contain the views as of the transaction's position. They can be copied directly, even into a pipe. That is
twice as fast as SQLite's backup, which first needs a separate file. Commits continue meanwhile, and extend the
write-ahead log.

An empty write-ahead log also means that no deleted content is left: it has been overwritten (`secure_delete`).
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import BinaryIO

from ledgerpress.sqlite.connection import BUSY_TIMEOUT, is_busy, uri
from ledgerpress.views.files.copy_format import (
    VERSION,
    Manifest,
    Progress,
    RowsDigest,
    ViewsCopyInvalid,
    write,
)
from ledgerpress.views.files.views_directory import ViewsDirectory
from ledgerpress.views.projection import checkpoints

_POLL_INTERVAL = 0.005
"""Seconds between two attempts to find the write-ahead log empty."""


def create_copy(
    directory: ViewsDirectory, publication: str, taken_at: int, target: BinaryIO, progress: Progress
) -> Manifest:
    """Write a copy of the views in use to `target`, and return its manifest.

    MUST be called in a process that has no other connection to the views: closing the file releases all locks of the
    process on it (https://sqlite.org/howtocorrupt.html, section 2.2). Raises `ViewsCopyInvalid` if there are no views
    in use that this program built, or if the projections are not at one position; `sqlite3.Error`, `OSError`.
    """
    views = directory.current
    if views is None or directory.is_of_other_versions(views):
        if not (others := [views] if views else directory.of_other_sets()):
            raise ViewsCopyInvalid(f"there are no views in {directory.data}: start a server on it first")
        raise ViewsCopyInvalid(
            f"the views in use ({others[0].name}) were built by another version of LedgerPress: create the copy with "
            "that version, or rebuild the views first (ledgerpress rebuild)"
        )
    with _unchanging_file(views) as (db, file):
        manifest = _manifest(db, directory.digest, publication, taken_at, os.fstat(file.fileno()).st_size)
        write(file, manifest, target, progress)
    return manifest


@contextmanager
def _unchanging_file(views: Path) -> Iterator[tuple[sqlite3.Connection, BinaryIO]]:
    """Yield a connection to the views, and their file, whose bytes do not change until the end of the context."""
    deadline = time.monotonic() + BUSY_TIMEOUT
    with ExitStack() as stack:
        # The file is closed after the connection: closing the file releases the connection's locks.
        file = stack.enter_context(views.open("rb", buffering=0))
        address = uri(views, mode="rw")
        # The connection never waits for a lock: emptying the write-ahead log blocks other writers while it waits.
        db = stack.enter_context(closing(sqlite3.connect(address, uri=True, isolation_level=None, timeout=0)))
        db.execute("PRAGMA query_only = ON")
        while not _has_empty_log(db, Path(f"{views}-wal")):
            if time.monotonic() > deadline:
                raise ViewsCopyInvalid(
                    f"other processes have been reading the views for {BUSY_TIMEOUT:.0f} seconds without interruption, "
                    "such as a rebuild or another copy: try again when they have finished"
                )
            time.sleep(_POLL_INTERVAL)
        yield db, file


def _has_empty_log(db: sqlite3.Connection, write_ahead_log: Path) -> bool:
    try:
        if db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            return False
        db.execute("BEGIN")
        checkpoints.read(db)
    except sqlite3.OperationalError as error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        if not is_busy(error):
            raise
        return False
    # If the log is empty now, it was empty when the transaction began: it cannot be emptied while it has readers.
    if write_ahead_log.stat().st_size == 0:
        return True
    db.execute("ROLLBACK")
    return False


def _manifest(db: sqlite3.Connection, made_by: str, publication: str, taken_at: int, size: int) -> Manifest:
    points = checkpoints.read(db)
    for name, point in points.items():
        if point.is_paused:
            raise ViewsCopyInvalid(
                f"projection {name} is paused at position {point.failed_at:,} ({point.error}): resolve this first; see "
                "ledgerpress status"
            )
    reached = {(point.position, point.leaf_hash) for point in points.values()}
    if len(reached) > 1:
        raise ViewsCopyInvalid("a projection is behind the others: try again when it has caught up")
    ((position, leaf_hash),) = reached
    if leaf_hash is None:
        raise ViewsCopyInvalid("the views are empty: no event has been applied yet")
    pages, page_size = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    if pages * page_size != size:
        raise ViewsCopyInvalid(
            f"the views are damaged: the file has {size:,} bytes instead of {pages * page_size:,}"
        )
    return Manifest(
        version=VERSION,
        publication=publication,
        position=position,
        leaf_hash=leaf_hash,
        made_by=made_by,
        projectors=checkpoints.versions(db),
        size=size,
        taken_at=taken_at,
        digests={name: RowsDigest(*digest) for name, digest in checkpoints.digests(db).items()},
    )
