"""The views that a process reads: they follow the log, and can switch to another file while requests continue."""

import asyncio
import logging
import math
import sqlite3
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from ledgerpress.eventlog.clock_randomness_ids import Clock
from ledgerpress.eventlog.codec import Codec, Recorded
from ledgerpress.eventlog.errors import EventLogError, LogUnusable
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.log import EventLog
from ledgerpress.views.files.damage_and_write_ahead_log_checks import ViewsChecks
from ledgerpress.views.files.followed_views import FollowedViews
from ledgerpress.views.files.tables import ViewsOfOtherVersions, is_damage
from ledgerpress.views.files.views_directory import ViewsDirectory, delete
from ledgerpress.views.files.views_file_connections import ViewsFile
from ledgerpress.views.files.views_health import ViewsHealth, ViewsUnavailable
from ledgerpress.views.projection.checkpoints import Checkpoint, belong_to_log
from ledgerpress.views.projection.projector_interface_and_composition import Projector
from ledgerpress.views.projection.runner import ProjectionRunner
from ledgerpress.views.projection.views_writer_role import ONLY_PROCESS, ViewsAdvance, ViewsWriterRole
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot, ViewsVersion

logger = logging.getLogger(__name__)

POLL_INTERVAL: Final = 0.1
"""Seconds between two checks of which views file to use."""
RETRY_INTERVAL: Final = 5.0
"""Seconds until unusable views are tried again."""
USE_INTERVAL: Final = 3_600.0
"""Seconds between two records that this process uses its views, and between two checks for unused sets."""
MAX_UNRECORDED_USE_INTERVALS: Final = 3.0
"""If the last record is more than this number of intervals old, unused sets are not dropped before the next record."""
OTHER_SETS_TIMEOUT: Final = 10.0
"""Seconds within which the processes of other sets must apply a withdrawal to their views."""


class _UnusableViews(Exception):
    """The views are damaged, or belong to another log, such as one that was restored from a backup."""


@dataclass(frozen=True, slots=True)
class _Withdrawal:
    """The last withdrawal, at `position`.

    Views files of other sets that have not reached it by the monotonic time `deadline` are deleted.
    """

    position: int
    deadline: float


class ActiveViews:
    """The views in use, independent of the file that contains them."""

    def __init__(
        self,
        log: EventLog,
        codec: Codec[Event],
        directory: ViewsDirectory,
        projectors: Sequence[Projector],
        clock: Clock,
        *,
        batch_size: int,
        clear_caches: Callable[[Collection[int] | None], None],
        role: ViewsWriterRole = ONLY_PROCESS,
    ) -> None:
        """`start` opens the views. `clear_caches` gets the positions of withdrawn payloads, or `None` for all content."""
        self._role = role
        self._log = log
        self._codec = codec
        self._directory = directory
        self._projectors = projectors
        self._clock = clock
        self._batch_size = batch_size
        self._clear_caches = clear_caches
        self._checks = ViewsChecks(directory)
        self._check_error = ""
        self._live: FollowedViews
        self._inode = 0
        self._since = 0
        self._closing: list[FollowedViews] = []
        self._use_noted_at = 0.0
        self._own_files_hold_text = False
        self._withdrawal: _Withdrawal | None = None

    async def start(
        self,
        build: Callable[[], Awaitable[None]],
        progress: Callable[[int], None] | None = None,
        *,
        resume: bool,
    ) -> None:
        """Open the views in use, and apply all events up to the head; if there are none, `build` them first.

        With `resume`, paused projections try again. `progress` is called with each position reached. Raises
        `LogUnusable` if the views cannot be built or used.
        """
        while True:
            # Record the use before opening the views: from then on, no process drops them as unused.
            self._directory.note_use()
            self._use_noted_at = time.monotonic()
            path = self._directory.current
            is_unusable = False
            if path is not None:
                try:
                    await self._try(path, progress, resume=resume)
                except _UnusableViews as error:
                    is_unusable = True
                    logger.warning("%s cannot be used (%s): the views are rebuilt from the log", path, error)
                else:
                    return
            try:
                async with self._directory.building_in_turn():
                    if self._directory.current in (path, None):
                        if path and is_unusable:
                            delete(path)
                        elif self._directory.of_other_sets():
                            logger.warning(
                                "%s has only views of other versions or features: views of this version are built "
                                "alongside",
                                self._directory.data,
                            )
                        await build()
            except (sqlite3.Error, OSError) as error:
                raise LogUnusable(f"the views in {self._directory.data} cannot be built: {error}") from error

    def follow(self) -> None:
        """Follow the log from now on. Nothing was in memory when the views were opened."""
        self._role.forgot(self._live.runner.progress.read_to)
        self._live.follow()

    async def catch_up(self) -> None:
        """Apply all events up to the head."""
        await self._live.runner.catch_up()
        self._drop_withdrawn()

    def drop_files_before(self, withdrawal: int) -> None:
        """Delete other views files that have not applied the last withdrawal, the event at position `withdrawal`.

        A process that applied it may have been killed before it could delete them. Files of other sets stay while a
        process has them open: that process may still be catching up.
        """
        self._own_files_hold_text = bool(self._directory.withdrawn_files(withdrawal))
        self._withdrawal = _Withdrawal(withdrawal, math.inf)
        self._drop_withdrawn()

    @property
    def path(self) -> Path:
        return self._live.views.path

    @property
    def since(self) -> int:
        """The time when this process began to use its current file, in microseconds since 1970, UTC."""
        return self._since

    @property
    def health(self) -> ViewsHealth:
        """The health of the file in use."""
        return self._live.views.health

    @property
    def damaged_files(self) -> int:
        """The number of damaged views files that this process has deleted."""
        return self._checks.damaged_files

    @property
    def checkpoints(self) -> dict[str, Checkpoint]:
        return self._live.runner.checkpoints

    @property
    def applied(self) -> tuple[int, str | None]:
        """The position and the leaf hash, in hex, of the last event applied."""
        last = max(self.checkpoints.values(), key=lambda point: point.position)
        return last.position, last.leaf_hash

    def hand_over(self, events: Callable[[], Sequence[Recorded[Event]]]) -> None:
        """Hand over events that this process has just recorded, so that they are not read from the log and decoded.

        `events` returns them. It is called only if this process applies events.
        """
        if self._role.is_writer:
            self._live.runner.hand_over(events())

    def note(self, advance: ViewsAdvance) -> None:
        """Note what another process has committed to its views, which are usually the same file."""
        if advance.file == self.path.name:
            self._live.runner.follower.note(advance)
        elif advance.erased:
            self._clear_caches(advance.erased)

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        return self._live.views.snapshot()

    def latest_row(self, query: str, parameters: tuple[str, ...]) -> tuple[Any, ...] | None:
        """Return the first row of a query on the views as of their last commit."""
        return self._live.views.latest_row(query, parameters)

    def views_version(self) -> ViewsVersion:
        """Return the version of the views: the same object until a process changes the views."""
        return self._live.views.views_version()

    async def wait_for(self, position: int, timeout: float, names: Collection[str] = ()) -> bool:
        """Wait for at most `timeout` seconds, as `ProjectionRunner.wait_for` does."""
        deadline = time.monotonic() + timeout
        while True:
            live = self._live
            reached = await live.runner.wait_for(position, max(0.0, deadline - time.monotonic()), names)
            if live is self._live:
                return reached

    @property
    def changes(self) -> int:
        """A number that changes when a projection has advanced, paused or resumed."""
        return self._live.runner.progress.changes

    async def wait_for_change(self, after: int, timeout: float) -> None:
        """Wait for at most `timeout` seconds until `changes` is no longer `after`."""
        await self._live.runner.progress.wait_for_change(after, timeout)

    async def resume(self, name: str) -> None:
        await self._live.runner.resume(name)

    async def sweep(self) -> bool:
        return await self._live.views.sweep()

    async def watch(self) -> None:
        """Until cancelled, switch whenever the views are switched or replaced, and check the file in use."""
        failed: tuple[Path, int] | None = None
        retry_at, last_error = 0.0, ""
        while True:
            await asyncio.sleep(POLL_INTERVAL)
            await self._check()
            target = None
            try:
                if (path := self._directory.current) is None:
                    continue
                target = path, self._directory.identity(path)
                if target == (self.path, self._inode):
                    failed, last_error = None, ""
                    self._drop_withdrawn()
                    self._note_use()
                elif target != failed or time.monotonic() > retry_at:
                    await self._switch(*target)
            except Exception as error:  # after any failure, the process keeps its current views
                if target != failed or str(error) != last_error:
                    logger.warning(
                        "the views in use remain %s; the others cannot be used: %s",
                        self.path.name,
                        error,
                        exc_info=_unexpected(error),
                    )
                failed, last_error = target, str(error)
                retry_at = time.monotonic() + RETRY_INTERVAL

    async def aclose(self) -> None:
        for live in (*self._closing, self._live):
            await live.aclose()
        if self._withdrawal:
            self._directory.drop_withdrawn_of_other_sets(self._withdrawal.position)

    async def _check(self) -> None:
        try:
            await self._checks.run(self._live.views, self._inode)
        except Exception as error:  # after an error of any class, the next check must follow
            if str(error) != self._check_error:
                unexpected = _unexpected(error)
                logger.warning("views %s could not be checked: %s", self.path, error, exc_info=unexpected)
            self._check_error = str(error)
        else:
            self._check_error = ""

    async def _switch(self, path: Path, inode: int) -> None:
        """Switch to the views at `path` once they have caught up with the views in use."""
        new = await self._open(path, resume=False)
        try:
            while not new.is_level_with(self._live):
                if not await new.runner.step():
                    raise EventLogError("a projection is paused in them; see ledgerpress status")
        except BaseException:
            await new.aclose()
            raise
        # No await between the comparison and this line: a client that saw a position never sees an older one.
        former, self._live, self._inode, self._since = self._live, new, inode, self._clock.now()
        new.follow()
        self._clear_caches(None)
        logger.info("switched to the views %s at position %d", path.name, new.position)
        self._closing.append(former)
        await former.aclose()
        self._closing.remove(former)

    async def _try(self, path: Path, progress: Callable[[int], None] | None, *, resume: bool) -> None:
        """Open the views at `path`, and let them catch up. Raises `_UnusableViews` or `LogUnusable`."""
        try:
            live = await self._open(path, resume=resume)
            try:
                await live.runner.catch_up(progress)
                self._inode, self._since = self._directory.identity(path), self._clock.now()
            except BaseException:
                await live.aclose()
                raise
            self._live = live
            self._drop_withdrawn()
        except ViewsOfOtherVersions as error:
            raise _UnusableViews(error) from error
        except (sqlite3.Error, OSError) as error:
            if is_damage(error):
                raise _UnusableViews(error) from error
            if self._directory.current == path:
                raise LogUnusable(
                    f"the views in {path} cannot be used: {error}. Check the permissions of the file and its directory, "
                    "the free space, and which processes lock the file"
                ) from error
            raise _UnusableViews("the file was deleted or replaced") from error

    async def _open(self, path: Path, *, resume: bool) -> FollowedViews:
        views = await ViewsFile.open(path, self._projectors, create=False)
        try:
            if not await belong_to_log(self._log, views.checkpoints().values()):
                raise _UnusableViews("it was built from another log")
            forget = partial(self._withdrawn, views)
            runner = ProjectionRunner(
                self._log,
                self._codec,
                views,
                self._projectors,
                batch_size=self._batch_size,
                forget=forget,
                role=self._role,
                file=path.name,
            )
            await runner.start(resume=resume)
        except BaseException:
            await views.aclose()
            raise
        return FollowedViews(views, runner)

    def _withdrawn(self, views: ViewsFile, positions: Collection[int]) -> None:
        """Clear the caches, and schedule the deletion of other views files, which may contain withdrawn payloads.

        The withdrawal may come from another node, which does not know the files of this node.
        """
        views.forget()
        self._clear_caches(positions)
        self._own_files_hold_text = True
        # The runner has committed the withdrawal to this file already.
        reached = max(point.position for point in views.checkpoints().values())
        self._withdrawal = _Withdrawal(reached, time.monotonic() + OTHER_SETS_TIMEOUT)
        self._role.forgot(reached)

    def _drop_withdrawn(self) -> None:
        """Delete other files that may contain withdrawn payloads, once this process uses the current file.

        Files of other sets that no process has open are deleted at once, and the others if they are still behind after
        `OTHER_SETS_TIMEOUT`: their processes apply the withdrawal themselves.
        """
        if self._own_files_hold_text and self._directory.current == self.path:
            self._directory.drop()
            self._own_files_hold_text = False
        if (withdrawal := self._withdrawal) and self._directory.drop_withdrawn_of_other_sets(
            withdrawal.position, spare_open=time.monotonic() < withdrawal.deadline
        ):
            self._withdrawal = None

    def _note_use(self) -> None:
        """Every `USE_INTERVAL`, record the use of the views, and drop the sets that no process uses."""
        if time.monotonic() < self._use_noted_at + USE_INTERVAL:
            return
        self._use_noted_at = time.monotonic()
        # If the machine was off or asleep, other processes may not have recorded their use yet either.
        if self._directory.note_use() > MAX_UNRECORDED_USE_INTERVALS * USE_INTERVAL:
            return
        for file in self._directory.drop_unused_sets():
            logger.info("%s was deleted: no process has used the views of its set for some days", file.name)


def _unexpected(error: Exception) -> Exception | None:
    """Return an error that is a mistake in the program, whose traceback is logged; `None` for other errors."""
    expected = (EventLogError, ViewsUnavailable, ViewsOfOtherVersions, _UnusableViews, sqlite3.Error, OSError)
    return None if isinstance(error, expected) else error
