"""Compares the views in use with views that are rebuilt from the log in a temporary file alongside them."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.log import EventLog, check_gapless
from ledgerpress.sqlite.connection import is_writable, naming_file, open_to_read
from ledgerpress.views.files.comparison import TableDigest, table_digests
from ledgerpress.views.files.tables import create_tables
from ledgerpress.views.projection import checkpoints
from ledgerpress.views.projection.batch_apply import apply_batch, decode, recorded_skips
from ledgerpress.views.projection.checkpoints import BOOKKEEPING, Checkpoint
from ledgerpress.views.projection.projector_interface_and_composition import Projector
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

BATCH: Final = 1_000


@dataclass(slots=True)
class ViewsVerification:
    """The result of a verification at `position`, the lowest position of all projections.

    `tables` contains the digests of the views in use, `differing` the tables with other content in the rebuilt views,
    and `paused` the reasons why projections are paused, by name. `failure` is the reason why nothing was compared.
    """

    position: int
    tables: dict[str, TableDigest] = field(default_factory=dict)
    differing: list[str] = field(default_factory=list)
    paused: dict[str, str] = field(default_factory=dict)
    failure: str | None = None


@contextmanager
def reading(views: Path | None) -> Iterator[Snapshot | None]:
    """Yield a snapshot of the views without changing them; `None` if there are none."""
    if views is None or not views.exists():
        yield None
        return
    with closing(open_to_read(views)) as db:
        db.execute("BEGIN")
        points = checkpoints.read(db)
        yield Snapshot(db, min((point.position for point in points.values()), default=0))


async def check_views(
    views: Path,
    log: EventLog,
    codec: Codec[Event],
    projectors: Sequence[Projector],
    progress: Callable[[int, int], None] | None = None,
) -> ViewsVerification | None:
    """Rebuild views from the log up to the position of the file `views`, and compare both.

    Returns `None` if there is no file. The views in use may change meanwhile. `progress` receives the position reached
    and the last position. Raises `EventLogError` if the log cannot be read, and `sqlite3.Error` if a file cannot be
    read.
    """
    with reading(views) as snapshot:
        if snapshot is None:
            return None
        points = checkpoints.read(snapshot.db)
    with _nameless(views.parent) as db:
        rebuilt = _RebuiltViews(db, log, codec, projectors)
        await rebuilt.follow(points, progress)
        # Only now begin a long read transaction: the longer it lasts, the larger the file's write-ahead log grows.
        with reading(views) as snapshot:
            if snapshot is None:
                return None
            points = checkpoints.read(snapshot.db)
            failure = await rebuilt.follow(points, progress)
            if failure is not None:
                return ViewsVerification(snapshot.position, failure=failure)
            return _compared(snapshot, points, db)


@contextmanager
def _nameless(directory: Path) -> Iterator[sqlite3.Connection]:
    """Yield a new database whose file is already unlinked: even a killed process leaves no file.

    It is in `directory`, which usually has enough space for it, or on another disk if the directory is read-only.
    """
    place = directory if is_writable(directory) else None
    with NamedTemporaryFile(prefix=".verify-", dir=place) as file:
        db = sqlite3.connect(file.name, isolation_level=None)
        # Durability is not needed. With a journal file, SQLite would fail because the database file has no name.
        db.execute("PRAGMA journal_mode = MEMORY")
        db.execute("PRAGMA synchronous = OFF")
        db.execute("PRAGMA cache_size = -65536")
        with naming_file(db):
            db.execute("CREATE TABLE opened (at_all INTEGER)")
            db.execute("DROP TABLE opened")
    with closing(db):
        yield db


def _compared(
    snapshot: Snapshot, points: Mapping[str, Checkpoint], rebuilt: sqlite3.Connection
) -> ViewsVerification:
    tables = table_digests(snapshot.db, BOOKKEEPING)
    expected = table_digests(rebuilt, BOOKKEEPING)
    return ViewsVerification(
        snapshot.position,
        tables,
        sorted(name for name in tables.keys() | expected.keys() if tables.get(name) != expected.get(name)),
        {name: point.error for name, point in points.items() if point.error is not None},
    )


class _RebuiltViews:
    """Views in a separate file, built by reading the log once."""

    def __init__(
        self, db: sqlite3.Connection, log: EventLog, codec: Codec[Event], projectors: Sequence[Projector]
    ) -> None:
        self._db = db
        self._log = log
        self._codec = codec
        self._projectors = projectors
        with naming_file(db):
            create_tables(db, projectors)
            db.execute("BEGIN")

    async def follow(
        self, points: Mapping[str, Checkpoint], progress: Callable[[int, int], None] | None
    ) -> str | None:
        """Bring each projection to its position in the views in use; return the reason if that is impossible."""
        targets = {name: points[name].position for name in checkpoints.read(self._db) if name in points}
        skipped = await recorded_skips(self._log, self._codec, targets)
        end = max(targets.values(), default=0)
        while True:
            positions = {name: point.position for name, point in checkpoints.read(self._db).items()}
            if any(target < positions[name] for name, target in targets.items()):
                return "the views in use were emptied meanwhile: try again"
            after = min(
                (positions[name] for name, target in targets.items() if positions[name] < target), default=end
            )
            if progress:
                progress(after, end)
            if after == end:
                return None
            batch = await self._log.read(after, min(BATCH, end - after))
            if not batch:
                return f"the views in use were built from {end:,} events, but the log has only {after:,}"
            check_gapless(batch, after)
            events, undecodable = decode(self._codec, batch)
            for projector in self._projectors:
                target = targets.get(projector.name, 0)
                batch_events = [event for event in events if event.position <= target]
                is_beyond = undecodable is None or undecodable.position > target
                error = None if is_beyond else undecodable
                with naming_file(self._db):
                    point = apply_batch(self._db, [projector], batch_events, error, skipped)[projector.name]
                if point.is_paused:
                    return f"projection {projector.name} fails at position {point.failed_at:,}: {point.error}"
