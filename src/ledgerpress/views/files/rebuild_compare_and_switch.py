"""Builds views from the log in a separate file, and compares them with the views in use before a switch."""

import sqlite3
from collections.abc import Callable, Collection, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.errors import EventLogError
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.log import EventLog
from ledgerpress.sqlite.connection import open_to_read
from ledgerpress.views.files.build import BATCH, PayloadWithdrawnDuringBuild, ViewsBuild
from ledgerpress.views.files.comparison import RowDifference, TableDifference, compare, table_digests
from ledgerpress.views.files.tables import ViewsOfOtherVersions, has_tables_of, is_damage, tables_of
from ledgerpress.views.files.views_directory import ViewsDirectory, ViewsGone, delete, has_only_first_parts
from ledgerpress.views.files.views_file_connections import ViewsFile
from ledgerpress.views.projection import checkpoints
from ledgerpress.views.projection.batch_apply import recorded_skips
from ledgerpress.views.projection.projector_interface_and_composition import Projector
from ledgerpress.views.projection.runner import ProjectionRunner

Progress = Callable[[int, int], None]


class RebuildFailed(EventLogError):
    """The views cannot be built; the views in use remain."""


@dataclass(slots=True)
class ViewsComparison:
    """The differences between rebuilt views and the views in use, at one position.

    If this set of features has no views, the views in use are of another set. `before` and `after` are the names of
    the files. `paused` maps the names of projections that are paused in the views in use to the reasons; the tables of
    these projections are not compared.
    """

    before: str
    after: str
    position: int
    tables: list[TableDifference] = field(default_factory=list)
    paused: dict[str, str] = field(default_factory=dict)


class ViewsBuilder:
    """A builder of views in one data directory. The caller MUST hold the directory's `building` lock."""

    def __init__(
        self,
        log: EventLog,
        codec: Codec[Event],
        directory: ViewsDirectory,
        projectors: Sequence[Projector],
        *,
        batch_size: int | None = None,
    ) -> None:
        """`batch_size` is the maximum number of events in one transaction."""
        self._log = log
        self._codec = codec
        self._directory = directory
        self._projectors = tuple(projectors)
        self._batch_size = batch_size or BATCH

    async def build(self, progress: Progress | None = None) -> None:
        """Build views of the whole log, and switch to them. A projection that fails is paused in them."""
        while True:
            build = await self._begin((), None)
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

    async def rebuild(
        self,
        names: Collection[str],
        report: Callable[[RowDifference], None],
        *,
        check: bool,
        progress: Progress | None = None,
    ) -> ViewsComparison | None:
        """Build views alongside the views in use, and compare both. Without `check`, switch to the new views.

        With `names`, only these projections are rebuilt, and the others are copied. Returns `None` if there were no
        views to compare with. Raises `RebuildFailed`, `PayloadWithdrawnDuringBuild`, `ViewsGone`.
        """
        unknown = set(names) - {projector.name for projector in self._projectors}
        if unknown:
            known = ", ".join(projector.name for projector in self._projectors)
            raise RebuildFailed(f"there is no projection {', '.join(sorted(unknown))}; there are {known}")
        current = await self._current_views()
        if current is None and names:
            raise RebuildFailed(
                "there are no views to copy the other projections from: rebuild all projections"
            )
        build = await self._begin(names, current)
        try:
            try:
                comparison = await self._compare(build, current, report, progress) if current else None
            except sqlite3.Error as error:
                if check or not is_damage(error):
                    raise
                # The views in use are damaged, or else the next step fails too.
                comparison = current = None
            if not check:
                await self._follow(build, await self._log.head(), progress)
                self._check_running(build)
                build.finish()
                self._directory.switch(build.path, keep_former=current is not None)
        except (PayloadWithdrawnDuringBuild, ViewsGone):
            delete(build.path)
            raise
        except sqlite3.Error as error:
            if is_damage(error):
                delete(build.path)
            raise
        else:
            return comparison
        finally:
            build.close()

    async def _current_views(self) -> Path | None:
        """Return the views in use, caught up with the log; if this set has none, unchanged views of another set.

        Returns `None` if there are none, or if they are damaged or belong to another log: a comparison with such views
        would hide that.
        """
        current = self._directory.current
        if current is None:
            return await self._views_of_another_set()
        try:
            views = await ViewsFile.open(current, self._projectors)
        except ViewsOfOtherVersions:
            return None
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            return None
        try:
            if not await checkpoints.belong_to_log(self._log, views.checkpoints().values()):
                return None
            runner = ProjectionRunner(self._log, self._codec, views, self._projectors)
            await runner.start(resume=False)
            await runner.catch_up()
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            return None
        finally:
            await views.aclose()
        return current

    async def _views_of_another_set(self) -> Path | None:
        for views in self._directory.of_other_sets():
            with suppress(sqlite3.Error), closing(open_to_read(views)) as db:
                points = checkpoints.read(db).values()
                if await checkpoints.belong_to_log(self._log, points):
                    return views
        return None

    async def _begin(self, names: Collection[str], current: Path | None) -> ViewsBuild:
        """Continue the unfinished file of the same kind, or begin a new one; delete other unfinished files of this set.

        With `names`, the rows of the other projections are copied from `current`.
        """
        # A corrected projector must apply the skipped events: rows of a projection with skips are never copied.
        with_skips = {name for name, _ in await self._skipped()}
        names_to_copy = (
            {projector.name for projector in self._projectors} - set(names) - with_skips if names else set()
        )
        head = await self._log.head()
        for path in self._directory.unfinished():
            build = await self._resume(path, frozenset(names_to_copy))
            if build is not None:
                return build
            delete(path)
        path = self._directory.vacant()
        build = ViewsBuild.open(path, self._projectors, began_at=head)
        if names_to_copy and current:
            try:
                self._check_versions(current, names_to_copy)
                build.take_over(current, names_to_copy)
            except BaseException:
                build.close()
                delete(path)
                raise
        return build

    async def _resume(self, path: Path, names_to_copy: frozenset[str]) -> ViewsBuild | None:
        if path != self._directory.resumable():
            return None
        try:
            build = ViewsBuild.open(path, self._projectors, began_at=0)
        except (sqlite3.Error, ViewsOfOtherVersions) as error:
            if isinstance(error, sqlite3.Error) and not is_damage(error):
                raise
            return None
        if build.taken_over == names_to_copy and await checkpoints.belong_to_log(
            self._log, build.checkpoints.values()
        ):
            checkpoints.resume_all(build.db)
            return build
        build.close()
        return None

    def _check_versions(self, current: Path, names: Collection[str]) -> None:
        """Raise `RebuildFailed` unless the projectors of this version wrote the rows of the projections `names`.

        In a file of another set, a projection with the same version may have other parts.
        """
        is_ours = self._directory.is_ours(current)
        with closing(open_to_read(current)) as db:
            versions = checkpoints.versions(db)
            other_versions = [
                projector.name
                for projector in self._projectors
                if projector.name in names
                and (
                    versions.get(projector.name) != projector.version
                    or not (is_ours or (has_only_first_parts(projector) and has_tables_of(db, projector)))
                )
            ]
        if other_versions:
            raise RebuildFailed(
                "the views in use may have been built by another version of "
                f"{', '.join(other_versions)}: rebuild these projections too, or rebuild all"
            )

    async def _skipped(self) -> set[tuple[str, int]]:
        return await recorded_skips(
            self._log, self._codec, [projector.name for projector in self._projectors]
        )

    async def _follow(self, build: ViewsBuild, until: int, progress: Progress | None) -> None:
        skipped = await self._skipped()
        await build.follow(self._log, self._codec, until, progress, skipped=skipped, batch=self._batch_size)

    async def _compare(
        self,
        build: ViewsBuild,
        current: Path,
        report: Callable[[RowDifference], None],
        progress: Progress | None,
    ) -> ViewsComparison:
        with closing(open_to_read(current)) as before:
            # Follow up to the position of the views in use, then again for the events that they applied meanwhile. Only
            # then begin a read transaction: the longer it lasts, the larger the write-ahead log of their file grows.
            for _ in range(2):
                await self._follow(build, _position(before), progress)
            before.execute("BEGIN")
            position = _position(before)
            await self._follow(build, position, progress)
            self._check_running(build)
            if build.position != position:
                delete(build.path)
                raise RebuildFailed(f"the views in use have only reached position {position:,}: try again")
            points = checkpoints.read(before)
            comparison = ViewsComparison(current.name, build.path.name, build.position)
            comparison.paused = {
                name: point.error for name, point in points.items() if point.error is not None
            }
            tables_to_omit = [
                table
                for projector in self._projectors
                if projector.name in comparison.paused
                for table in tables_of(projector)
            ]
            comparison.tables, digests = compare(before, build.db, report, tables_to_omit)
            build.keep_digests(digests)
            return comparison

    def _check_running(self, build: ViewsBuild) -> None:
        for name, point in build.checkpoints.items():
            if point.is_paused:
                raise RebuildFailed(
                    f"projection {name} fails at position {point.failed_at:,}: {point.error}; the views in use remain"
                )


def _position(db: sqlite3.Connection) -> int:
    """Return the highest position of the running projections; if all are paused, the highest position of all."""
    points = checkpoints.read(db).values()
    running = [point.position for point in points if not point.is_paused]
    return max(running or [point.position for point in points], default=0)
