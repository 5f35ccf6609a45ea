"""Builds views: a file of their own, written in large batches, the indexes that only readers use at the end.

Every batch is committed with its checkpoints, so another process continues with a file that a killed process left.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
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
from ledgerpress.views.projection.batch_apply import apply_batch, decode, withdrawn_by
from ledgerpress.views.projection.checkpoints import Checkpoint
from ledgerpress.views.projection.projector_interface_and_composition import Projector

BATCH: Final = 10_000
"""Events that are read, and written in one transaction."""


class PayloadWithdrawnDuringBuild(EventLogError):
    """The file holds what a payload said that was withdrawn since: it must be deleted, and begun again."""


class ViewsBuild:
    """A views file that has no reader yet."""

    def __init__(self, path: Path, db: sqlite3.Connection, projectors: Sequence[Projector]) -> None:
        """Take an open connection; `open` makes one."""
        self.path = path
        self.db = db
        self._projectors = tuple(projectors)

    @classmethod
    def open(cls, path: Path, projectors: Sequence[Projector], *, began_at: int) -> "ViewsBuild":
        """Open a file that was begun, or begin one: `began_at` is then the log's head.

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
        """How far the slowest projection that is not paused has come."""
        points = self.checkpoints.values()
        going = [point.position for point in points if not point.is_paused]
        return min(going, default=max((point.position for point in points), default=0))

    @property
    def taken_over(self) -> frozenset[str]:
        (names,) = self.db.execute("SELECT taken_over FROM views").fetchone()
        return frozenset(msgspec.json.decode(names, type=list[str]))

    def take_over(self, views: Path, names: Collection[str]) -> None:
        """Copy the rows of the projections `names` from `views`, as they are at one position. For a file just begun."""
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
        """Apply the events up to the position `until`. A projection that fails is paused, and the others go on.

        `progress` takes the position reached and `until`. Raises `PayloadWithdrawnDuringBuild`, `GapInLog`, `sqlite3.Error`.
        """
        while (after := self.position) < until and not all(
            point.is_paused for point in self.checkpoints.values()
        ):
            stored = await log.read(after, min(batch, until - after))
            if not stored:
                raise EventLogError(f"the log ends at position {after:,}, and {until:,} was expected")
            check_gapless(stored, after)
            self._check_withdrawn(withdrawn_by(codec, stored))
            events, undecodable = decode(codec, stored)
            with transaction(self.db):
                apply_batch(self.db, self._projectors, events, undecodable, skipped)
            if progress:
                progress(self.position, until)

    def finish(self) -> None:
        set_pragmas(self.db, INDEXING_PRAGMAS)
        with transaction(self.db):
            create_indexes(self.db, self._projectors)
        set_pragmas(self.db, WRITER_PRAGMAS)

    def keep_digests(self, digests: Mapping[str, TableDigest]) -> None:
        """Write down the digest of the rows of each projection of whose tables there are digests, as of now."""
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

    def _check_withdrawn(self, withdrawn: Sequence[tuple[int, int]]) -> None:
        """Raise `PayloadWithdrawnDuringBuild` where rows may contain withdrawn payloads.

        `withdrawn` contains the position of each and that of its withdrawal.

        Rows that were made here hold nothing that had gone when the file was begun. Rows that were taken over are as
        the log was at their checkpoint.
        """
        if not withdrawn:
            return
        began_at, taken_over = checkpoints.began_at(self.db), self.taken_over
        for name, point in self.checkpoints.items():
            if any(
                gone <= point.position < by and (name in taken_over or by > began_at)
                for gone, by in withdrawn
            ):
                raise PayloadWithdrawnDuringBuild("a payload was withdrawn that these views were made of")
