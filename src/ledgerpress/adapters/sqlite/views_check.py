"""Compares the views in use with ones made anew from the log, in a temporary file beside them."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

from ledgerpress.adapters.sqlite.connection import uri
from ledgerpress.adapters.sqlite.views import create_tables
from ledgerpress.domain.event import Event
from ledgerpress.eventlog.codec import Codec, Recorded
from ledgerpress.eventlog.log import EventLog
from ledgerpress.eventlog.subscription import check_gapless
from ledgerpress.projections import checkpoints
from ledgerpress.projections.checkpoints import Checkpoint
from ledgerpress.projections.projector import Projector
from ledgerpress.readmodels.table_digests import TableDigest, table_digests
from ledgerpress.readmodels.temporal import Snapshot

BATCH: Final = 1_000


@dataclass(slots=True)
class ViewsChecked:
    """What was found at `position`, the least that a projection has reached.

    `tables` has the digests of the views in use, `differing` the tables that come out otherwise, and `paused` why a
    projection is paused, by its name. `failure` says why nothing could be compared.
    """

    position: int
    tables: dict[str, TableDigest] = field(default_factory=dict)
    differing: list[str] = field(default_factory=list)
    paused: dict[str, str] = field(default_factory=dict)
    failure: str | None = None


@contextmanager
def reading(views: Path) -> Iterator[Snapshot | None]:
    """Lend the views as they are, without a change to them; `None` where there are none."""
    if not views.exists():
        yield None
        return
    with closing(sqlite3.connect(uri(views, mode="ro"), uri=True, isolation_level=None)) as db:
        db.execute("BEGIN")
        points = checkpoints.read(db)
        yield Snapshot(db, min((point.position for point in points.values()), default=0))


async def check_views(
    views: Path,
    log: EventLog,
    codec: Codec[Event],
    projectors: Sequence[Projector],
    progress: Callable[[int, int], None] | None = None,
) -> ViewsChecked | None:
    """Make views of the log as far as those in the file `views` reach, and compare; `None` where there is no file.

    Those in use may go on meanwhile. `progress` takes the position reached and the last one. Raises `EventLogError`
    where the log cannot be read, and `sqlite3.Error` where a file cannot be.
    """
    with reading(views) as snapshot:
        if snapshot is None:
            return None
        points = checkpoints.read(snapshot.db)
    with _nameless(views.parent) as db:
        anew = _Anew(db, log, codec, projectors)
        await anew.follow(points, progress)
        # Only now is what others write held back from view: the longer that lasts, the larger their file grows.
        with reading(views) as snapshot:
            if snapshot is None:
                return None
            points = checkpoints.read(snapshot.db)
            failure = await anew.follow(points, progress)
            if failure is not None:
                return ViewsChecked(snapshot.position, failure=failure)
            return _compared(snapshot, points, db)


@contextmanager
def _nameless(directory: Path) -> Iterator[sqlite3.Connection]:
    """Lend a new database in `directory` whose file has no name any more: it ends with the process, however that ends."""
    with NamedTemporaryFile(prefix=".verify-", dir=directory) as file:
        db = sqlite3.connect(file.name, isolation_level=None)
        # Nothing is to be kept, nor taken back; with a journal SQLite would mind that the file has no name.
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        db.execute("PRAGMA cache_size = -65536")
        db.execute("CREATE TABLE opened (at_all INTEGER)")
        db.execute("DROP TABLE opened")
    with closing(db):
        yield db


def _compared(snapshot: Snapshot, points: Mapping[str, Checkpoint], anew: sqlite3.Connection) -> ViewsChecked:
    tables, expected = table_digests(snapshot.db), table_digests(anew)
    return ViewsChecked(
        snapshot.position,
        tables,
        sorted(name for name in tables.keys() | expected.keys() if tables.get(name) != expected.get(name)),
        {name: point.error for name, point in points.items() if point.error is not None},
    )


class _Anew:
    """Views in a file of their own, made by reading the log once."""

    def __init__(
        self, db: sqlite3.Connection, log: EventLog, codec: Codec[Event], projectors: Sequence[Projector]
    ) -> None:
        self._db = db
        self._log = log
        self._codec = codec
        self._projectors = projectors
        self._reached = {projector.name: 0 for projector in projectors}
        create_tables(db, projectors)
        db.execute("BEGIN")

    async def follow(
        self, points: Mapping[str, Checkpoint], progress: Callable[[int, int], None] | None
    ) -> str | None:
        """Bring each projection to where it is in the views in use; return why that cannot be done, if so."""
        wanted = {name: points[name].position for name in self._reached if name in points}
        if any(position < self._reached[name] for name, position in wanted.items()):
            return "the views in use were emptied meanwhile: try again"
        end = max(wanted.values(), default=0)
        after = min(
            (self._reached[name] for name in wanted if self._reached[name] < wanted[name]), default=end
        )
        while after < end:
            batch = await self._log.read(after, min(BATCH, end - after))
            if not batch:
                return f"the views in use were made of {end:,} events, and the log has only {after:,}"
            check_gapless(batch, after)
            events = self._codec.decode_all(batch)
            for projector in self._projectors:
                if failure := self._apply(projector, events, wanted.get(projector.name, 0)):
                    return failure
            after = batch[-1].position
            if progress:
                progress(after, end)
        return None

    def _apply(self, projector: Projector, events: Sequence[Recorded[Event]], until: int) -> str | None:
        reached = self._reached[projector.name]
        writing = projector.begin(self._db)
        try:
            for event in events:
                if reached < event.position <= until:
                    reached = event.position
                    writing.apply(event)
            writing.flush()
        except Exception as error:  # noqa: BLE001  # it is code of the project that failed
            return f"projection {projector.name} fails at position {reached:,}: {error}"
        self._reached[projector.name] = reached
        return None
