"""Makes views beside those in use: from the log, in a file of their own, compared before anybody uses them."""

import sqlite3
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.errors import EventLogError
from ledgerpress.eventlog.event import Event
from ledgerpress.eventlog.log import EventLog
from ledgerpress.server.views_provenance import belongs_to_log
from ledgerpress.sqlite.connection import open_to_read
from ledgerpress.views.files.build import BATCH, PayloadWithdrawnDuringBuild, ViewsBuild
from ledgerpress.views.files.comparison import RowDifference, TableDifference, compare
from ledgerpress.views.files.directory import ViewsDirectory, ViewsGone, delete
from ledgerpress.views.files.table_digests import table_digests
from ledgerpress.views.files.tables import ViewsOfOtherVersions, is_damage, tables_of
from ledgerpress.views.files.views_file import ViewsFile
from ledgerpress.views.projection import checkpoints
from ledgerpress.views.projection.event_skipping import recorded_skips
from ledgerpress.views.projection.projector import Projector
from ledgerpress.views.projection.runner import ProjectionRunner

Progress = Callable[[int, int], None]


class RebuildFailed(EventLogError):
    """Views cannot be made as asked for; those in use stay."""


@dataclass(slots=True)
class ViewsComparison:
    """How views made anew come out against those in use, at one position.

    `before` and `after` are the names of their files. `paused` says why a projection is paused in the views in use, by its name: its tables are left out.
    """

    before: str
    after: str
    position: int
    tables: list[TableDifference] = field(default_factory=list)
    paused: dict[str, str] = field(default_factory=dict)


class ViewsBuilder:
    """Makes views in one data directory. The caller holds the directory's `building` lock."""

    def __init__(
        self,
        log: EventLog,
        codec: Codec[Event],
        directory: ViewsDirectory,
        projectors: Sequence[Projector],
        *,
        batch_size: int | None = None,
    ) -> None:
        """Take what it works with. `batch_size` is the greatest number of events in one transaction."""
        self._log = log
        self._codec = codec
        self._directory = directory
        self._projectors = tuple(projectors)
        self._batch_size = batch_size or BATCH

    async def make(self, progress: Progress | None = None) -> None:
        """Make views of the whole log, and put them to use; a projection that fails is paused in them."""
        while True:
            build = await self._begun(())
            try:
                await self._follow(build, await self._log.head(), progress)
                build.finish()
                build.keep_digests(table_digests(build.db, checkpoints.BOOKKEEPING))
                self._directory.switch(build.path)
            except (PayloadWithdrawnDuringBuild, ViewsGone):
                delete(build.path)
            else:
                return
            finally:
                build.close()

    async def beside(
        self,
        names: Collection[str],
        report: Callable[[RowDifference], None],
        *,
        check: bool,
        progress: Progress | None = None,
    ) -> ViewsComparison | None:
        """Make views beside those in use and compare them; unless it is a `check`, put them to use.

        Only the projections `names` are made anew where some are named, and the others are taken over. Returns
        `None` where there were no views to compare with. Raises `RebuildFailed`, `PayloadWithdrawnDuringBuild`, `ViewsGone`.
        """
        unknown = set(names) - {projector.name for projector in self._projectors}
        if unknown:
            known = ", ".join(projector.name for projector in self._projectors)
            raise RebuildFailed(f"there is no projection {', '.join(sorted(unknown))}; there are {known}")
        current = await self._caught_up()
        if current is None and names:
            raise RebuildFailed("there are no views from which the other projections could be taken over")
        build = await self._begun(names)
        try:
            compared = await self._compared(build, current, report, progress) if current else None
            if not check:
                await self._follow(build, await self._log.head(), progress)
                self._check_running(build)
                build.finish()
                self._directory.switch(build.path, keep_former=current is not None)
        except (PayloadWithdrawnDuringBuild, ViewsGone):
            delete(build.path)
            raise
        else:
            return compared
        finally:
            build.close()

    async def _caught_up(self) -> Path | None:
        """Return the views in use, brought to the head where this program can.

        Returns `None` where there are none, where they are damaged, and where they were made of another log: to go on
        with those would only hide that.
        """
        current = self._directory.current
        if current is None:
            return None
        try:
            views = await ViewsFile.open(current, self._projectors)
        except ViewsOfOtherVersions:
            with closing(open_to_read(current)) as db:
                points = checkpoints.read(db).values()
            return current if await belongs_to_log(self._log, points) else None
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            return None
        try:
            if not await belongs_to_log(self._log, views.checkpoints().values()):
                return None
            runner = ProjectionRunner(self._log, self._codec, views, self._projectors)
            await runner.start(resume=False)
            await runner.catch_up()
        finally:
            await views.aclose()
        return current

    async def _begun(self, names: Collection[str]) -> ViewsBuild:
        """Open the file that was begun in the same way, or begin one; delete what else was left behind."""
        # A projector that has been mended is to have what was skipped: such rows are never taken over.
        skipping = {name for name, _ in await self._skipped()}
        over = {one.name for one in self._projectors} - set(names) - skipping if names else set()
        head = await self._log.head()
        for path in self._directory.unfinished():
            build = await self._resumed(path, frozenset(over))
            if build is not None:
                return build
            delete(path)
        path = self._directory.vacant()
        build = ViewsBuild.open(path, self._projectors, began_at=head)
        current = self._directory.current
        if over and current:
            try:
                self._check_versions(current, over)
                build.take_over(current, over)
            except BaseException:
                build.close()
                delete(path)
                raise
        return build

    async def _resumed(self, path: Path, over: frozenset[str]) -> ViewsBuild | None:
        if path != self._directory.resumable():
            return None
        try:
            build = ViewsBuild.open(path, self._projectors, began_at=0)
        except (sqlite3.Error, ViewsOfOtherVersions) as error:
            if isinstance(error, sqlite3.Error) and not is_damage(error):
                raise
            return None
        if build.taken_over == over and await belongs_to_log(self._log, build.checkpoints.values()):
            checkpoints.resume_all(build.db)
            return build
        build.close()
        return None

    def _check_versions(self, current: Path, over: Collection[str]) -> None:
        with closing(open_to_read(current)) as db:
            made_by = checkpoints.versions(db)
        newer = [
            one.name for one in self._projectors if one.name in over and made_by.get(one.name) != one.version
        ]
        if newer:
            raise RebuildFailed(
                f"the views in use were made by another version of {', '.join(newer)}: name them too, or none"
            )

    async def _skipped(self) -> set[tuple[str, int]]:
        return await recorded_skips(self._log, self._codec, [one.name for one in self._projectors])

    async def _follow(self, build: ViewsBuild, until: int, progress: Progress | None) -> None:
        skipped = await self._skipped()
        await build.follow(self._log, self._codec, until, progress, skipped=skipped, batch=self._batch_size)

    async def _compared(
        self,
        build: ViewsBuild,
        current: Path,
        report: Callable[[RowDifference], None],
        progress: Progress | None,
    ) -> ViewsComparison:
        with closing(open_to_read(current)) as before:
            # As far as those in use have come by now, and again what they came further meanwhile. Only then is what
            # others write held back from view: the longer that lasts, the larger their file grows.
            for _ in range(2):
                await self._follow(build, _position(before), progress)
            before.execute("BEGIN")
            position = _position(before)
            await self._follow(build, position, progress)
            self._check_running(build)
            if build.position != position:
                delete(build.path)
                raise RebuildFailed(f"the views in use have only come to position {position:,}: try again")
            points = checkpoints.read(before)
            compared = ViewsComparison(current.name, build.path.name, build.position)
            compared.paused = {name: point.error for name, point in points.items() if point.error is not None}
            left_out = [
                table
                for projector in self._projectors
                if projector.name in compared.paused
                for table in tables_of(projector)
            ]
            compared.tables, digests = compare(before, build.db, report, left_out)
            build.keep_digests(digests)
            return compared

    def _check_running(self, build: ViewsBuild) -> None:
        for name, point in build.checkpoints.items():
            if point.is_paused:
                raise RebuildFailed(
                    f"projection {name} fails at position {point.failed_at:,}: {point.error}; the views in use stay"
                )


def _position(db: sqlite3.Connection) -> int:
    """Return how far the projections that are not paused have come, or all, where all are."""
    points = checkpoints.read(db).values()
    going = [point.position for point in points if not point.is_paused]
    return max(going or [point.position for point in points], default=0)
