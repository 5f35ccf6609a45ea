"""Builds views in a separate file: writes rows in large batches, and creates the indexes that only readers use last.

Every batch is committed with its checkpoints, so another process can continue the file of a killed process.
"""

import gc
import hashlib
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.errors import EventLogError
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.log import EventLog, check_gapless
from ledgerpress.sqlite.connection import connect, create_private, set_pragmas, transaction, uri
from ledgerpress.views.files.comparison import TableDigest
from ledgerpress.views.files.tables import (
    INDEXING_PRAGMAS,
    check_tables,
    create_indexes,
    create_tables,
    tables_of,
)
from ledgerpress.views.files.views_file_connections import WRITER_PRAGMAS
from ledgerpress.views.projection import checkpoints
from ledgerpress.views.projection.batch_apply import apply_batch, decode
from ledgerpress.views.projection.checkpoints import Checkpoint
from ledgerpress.views.projection.projector_interface_and_composition import Projector
from ledgerpress.views.projection.withdrawal_erasure import Withdrawal, withdrawals_in

BATCH: Final = 10_000
"""The number of events that are read at once, and applied in one transaction."""


class PayloadWithdrawnDuringBuild(EventLogError):
    """A payload that the file may contain was withdrawn: the file must be deleted, and the build restarted."""


class ViewsBuild:
    """A views file that is being built, and has no readers yet."""

    def __init__(self, path: Path, db: sqlite3.Connection, projectors: Sequence[Projector]) -> None:
        """Wrap an open connection. Use `open` to create an instance."""
        self.path = path
        self.db = db
        self._projectors = tuple(projectors)

    @classmethod
    def open(cls, path: Path, projectors: Sequence[Projector], *, began_at: int) -> "ViewsBuild":
        """Open an unfinished file, or create a new one, for which `began_at` is the current head of the log.

        Raises `sqlite3.Error`, `ViewsOfOtherVersions`.
        """
        create_private(path)
        db = connect(uri(path, mode="rwc"), WRITER_PRAGMAS)
        try:
            with transaction(db):
                create_tables(db, projectors, began_at=began_at, indexes=False)
                check_tables(db, projectors, indexes=False)
        except BaseException:
            db.close()
            raise
        return cls(path, db, projectors)

    @property
    def checkpoints(self) -> dict[str, Checkpoint]:
        return checkpoints.read(self.db)

    @property
    def position(self) -> int:
        """The lowest position of the projections that are not paused; if all are paused, the highest position."""
        points = self.checkpoints.values()
        running = [point.position for point in points if not point.is_paused]
        return min(running, default=max((point.position for point in points), default=0))

    @property
    def taken_over(self) -> frozenset[str]:
        (names,) = self.db.execute("SELECT taken_over FROM views").fetchone()
        return frozenset(msgspec.json.decode(names, type=list[str]))

    def take_over(self, views: Path, names: Collection[str]) -> None:
        """Copy the rows of the projections `names` from `views`, as of one commit. The file must be new."""
        self.db.execute("ATTACH ? AS source", (uri(views, mode="ro"),))
        try:
            with transaction(self.db):
                self._copy(names)
        finally:
            self.db.execute("DETACH source")

    async def follow(
        self,
        log: EventLog,
        codec: Codec[Event],
        until: int,
        progress: Callable[[int, int], None] | None = None,
        *,
        skipped: Collection[tuple[str, int]] = (),
        batch: int = BATCH,
    ) -> None:
        """Apply the events up to the position `until`. A projection that fails is paused; the others continue.

        `progress` receives the position reached and `until`. Raises `PayloadWithdrawnDuringBuild`, `GapInLog`,
        `sqlite3.Error`, and `EventLogError` if the log ends before `until`.
        """
        while (after := self.position) < until and not all(
            point.is_paused for point in self.checkpoints.values()
        ):
            stored = await log.read(after, min(batch, until - after))
            if not stored:
                raise EventLogError(f"the log ends at position {after:,}; {until:,} was expected")
            check_gapless(stored, after)
            self._check_withdrawn(withdrawals_in(codec, stored))
            with _no_garbage_collection(), transaction(self.db):
                events, undecodable = decode(codec, stored)
                apply_batch(self.db, self._projectors, events, undecodable, skipped)
            del stored, events
            if progress:
                progress(self.position, until)

    def finish(self) -> None:
        set_pragmas(self.db, INDEXING_PRAGMAS)
        with transaction(self.db):
            create_indexes(self.db, self._projectors)
        set_pragmas(self.db, WRITER_PRAGMAS)

    def keep_digests(self, digests: Mapping[str, TableDigest]) -> None:
        """Store the current digest of each projection's rows, if `digests` contains the digests of all its tables."""
        digests_by_name = {}
        for projector in self._projectors:
            tables = sorted(tables_of(projector))
            if digests.keys() >= set(tables):
                lines = [f"{table} {digests[table].rows} {digests[table].sha256}\n" for table in tables]
                digests_by_name[projector.name] = hashlib.sha256("".join(lines).encode()).hexdigest()
        checkpoints.keep_digests(self.db, self.position, digests_by_name)

    def close(self) -> None:
        self.db.close()

    def _copy(self, names: Collection[str]) -> None:
        self.db.execute("UPDATE views SET taken_over = ?", (msgspec.json.encode(sorted(names)).decode(),))
        for projector in self._projectors:
            if projector.name not in names:
                continue
            for table in tables_of(projector):
                self.db.execute(f'DELETE FROM main."{table}"')  # noqa: S608
                self.db.execute(f'INSERT INTO main."{table}" SELECT * FROM source."{table}"')  # noqa: S608
            self.db.execute(
                "INSERT OR REPLACE INTO main.projection SELECT * FROM source.projection WHERE name = ?",
                (projector.name,),
            )

    def _check_withdrawn(self, withdrawals: Sequence[Withdrawal]) -> None:
        """Raise `PayloadWithdrawnDuringBuild` if rows may contain withdrawn payloads.

        Rows that were built here contain no payload that was withdrawn before the file was begun. Rows that were copied contain the payloads that
        the log had at their checkpoint.
        """
        if not withdrawals:
            return
        began_at, taken_over = checkpoints.began_at(self.db), self.taken_over
        for name, point in self.checkpoints.items():
            if any(
                position <= point.position < record and (name in taken_over or record > began_at)
                for position, record in withdrawals
            ):
                raise PayloadWithdrawnDuringBuild("a payload was withdrawn during the build: build again")


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Pause the search for reference cycles.

    A batch has hundreds of thousands of rows and no cycles, and the search would visit its rows again and again.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
