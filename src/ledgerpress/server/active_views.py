"""The views that a process answers from: followed, and exchanged for others in one step while requests go on."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from ledgerpress.eventlog.clock import Clock
from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.errors import EventLogError, LogUnusable
from ledgerpress.eventlog.event import Event
from ledgerpress.eventlog.log import EventLog
from ledgerpress.server.views_provenance import belongs_to_log
from ledgerpress.views.files.directory import ViewsBusy, ViewsDirectory, delete
from ledgerpress.views.files.tables import ViewsOfOtherVersions, is_damage
from ledgerpress.views.files.views_file import ViewsFile
from ledgerpress.views.projection.checkpoints import Checkpoint
from ledgerpress.views.projection.projector import Projector
from ledgerpress.views.projection.runner import ProjectionRunner
from ledgerpress.views.snapshot import Snapshot
from ledgerpress.views.views_version import ViewsVersion

logger = logging.getLogger(__name__)

POLL_INTERVAL: Final = 0.1
"""Seconds between two looks at which views are to be used."""
RETRY_INTERVAL: Final = 5.0
"""Seconds until views that could not be used are tried again."""


class _UnusableViews(Exception):
    """The views are damaged, or were made of another log, such as one that was restored from a backup."""


class ActiveViews:
    """The views in use, by whatever file they are in now."""

    def __init__(
        self,
        log: EventLog,
        codec: Codec[Event],
        directory: ViewsDirectory,
        projectors: Sequence[Projector],
        clock: Clock,
        *,
        batch_size: int,
        forget: Callable[[], None],
    ) -> None:
        """Take what it works with; `start` opens the views. `forget` is called when memories of them may be wrong."""
        self._log = log
        self._codec = codec
        self._directory = directory
        self._projectors = projectors
        self._clock = clock
        self._batch_size = batch_size
        self._forget = forget
        self._live: _FollowedViews
        self._inode = 0
        self._since = 0
        self._going: list[_FollowedViews] = []
        self._others_hold_text = False

    async def start(self, make: Callable[[], Awaitable[None]], *, resume: bool) -> None:
        """Open the views in use; where there are none that this program can use, `make` them first.

        With `resume`, paused projections are tried again. Raises `LogUnusable` where that cannot be done.
        """
        while True:
            path = self._directory.current
            useless = False
            if path is not None:
                try:
                    await self._try(path, resume=resume)
                except ViewsOfOtherVersions as error:
                    logger.warning("%s is not for this version (%s): views are made beside it", path, error)
                except _UnusableViews as error:
                    useless = True
                    logger.warning(
                        "%s cannot be used (%s): the views are made anew from the log", path, error
                    )
                else:
                    return
            try:
                with self._directory.building():
                    if self._directory.current in (path, None):
                        if path and useless:
                            delete(path)
                        await make()
            except ViewsBusy:
                await asyncio.sleep(POLL_INTERVAL)
            except (sqlite3.Error, OSError) as error:
                raise LogUnusable(f"the views in {self._directory.data} cannot be made: {error}") from error

    def follow(self) -> None:
        """Follow the log from now on."""
        self._live.follow()

    async def catch_up(self, progress: Callable[[int], None] | None = None) -> None:
        """Apply everything up to the head. `progress` is called with each position reached."""
        await self._live.runner.catch_up(progress)
        self._drop_others()

    @property
    def path(self) -> Path:
        """The file in use."""
        return self._live.views.path

    @property
    def since(self) -> int:
        """Since when this process has answered from that file, in microseconds since 1970, UTC."""
        return self._since

    @property
    def checkpoints(self) -> dict[str, Checkpoint]:
        """How far each projection has come, by name."""
        return self._live.runner.checkpoints

    @property
    def applied(self) -> tuple[int, str | None]:
        """The last event that was applied: its position, and its leaf hash in hex."""
        last = max(self.checkpoints.values(), key=lambda point: point.position)
        return last.position, last.leaf_hash

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Lend the views as of the position that every projection has reached."""
        return self._live.views.snapshot()

    def views_version(self) -> ViewsVersion:
        """Return how far the views have come: the same object as long as nobody, in any process, changes anything."""
        return self._live.views.views_version()

    async def wait_for(self, position: int, timeout: float, names: Collection[str] = ()) -> bool:
        """Wait until the named projections, or all, have reached `position`; return whether they have.

        `timeout` is in seconds. It does not wait for a projection that is paused.
        """
        deadline = time.monotonic() + timeout
        while True:
            live = self._live
            reached = await live.runner.wait_for(position, max(0.0, deadline - time.monotonic()), names)
            if live is self._live:
                return reached

    async def resume(self, name: str) -> None:
        """Let a paused projection try again."""
        await self._live.runner.resume(name)

    async def sweep(self) -> bool:
        """Overwrite what a withdrawal deleted; return whether that is done."""
        return await self._live.views.sweep()

    async def watch(self) -> None:
        """Use other views as soon as an operator says so, or the file has been replaced, until cancelled."""
        refused: tuple[Path, int] | None = None
        again = 0.0
        while True:
            await asyncio.sleep(POLL_INTERVAL)
            wanted = None
            try:
                if (path := self._directory.current) is None:
                    continue
                wanted = path, self._directory.identity(path)
                if wanted == (self.path, self._inode):
                    refused = None
                    self._drop_others()
                elif wanted != refused or time.monotonic() > again:
                    await self._exchange(*wanted)
            except Exception as error:  # noqa: BLE001  # whatever it is, this goes on, and those in use are followed
                if wanted != refused:
                    logger.warning(
                        "the views in use stay %s: others cannot be used: %s", self.path.name, error
                    )
                refused, again = wanted, time.monotonic() + RETRY_INTERVAL

    async def aclose(self) -> None:
        """Stop following, and close the file."""
        for live in (*self._going, self._live):
            await live.aclose()

    async def _exchange(self, path: Path, inode: int) -> None:
        """Answer from the views at `path`, once they have come as far as those in use."""
        coming = await self._open(path, resume=False)
        try:
            while not coming.is_level_with(self._live):
                if not await coming.runner.step():
                    raise EventLogError("a projection is paused there: see ledgerpress status")
        except BaseException:
            await coming.aclose()
            raise
        # Nothing awaits between that comparison and this: whoever has seen a position sees no older one.
        going, self._live, self._inode, self._since = self._live, coming, inode, self._clock.now()
        coming.follow()
        self._forget()
        logger.info("the views in use are %s from position %d on", path.name, coming.position)
        self._going.append(going)
        await going.aclose()
        self._going.remove(going)

    async def _try(self, path: Path, *, resume: bool) -> None:
        """Open the views at `path`. Raises `ViewsOfOtherVersions`, `_UnusableViews`, `LogUnusable`."""
        try:
            self._live = await self._open(path, resume=resume)
            self._inode, self._since = self._directory.identity(path), self._clock.now()
        except (sqlite3.Error, OSError) as error:
            if is_damage(error):
                raise _UnusableViews(error) from error
            if self._directory.current == path:
                raise LogUnusable(f"the views in {path} cannot be used: {error}") from error
            raise _UnusableViews("it is gone") from error

    async def _open(self, path: Path, *, resume: bool) -> "_FollowedViews":
        views = await ViewsFile.open(path, self._projectors, create=False)
        try:
            if not await belongs_to_log(self._log, views.checkpoints().values()):
                raise _UnusableViews("it was made of another log")
            runner = ProjectionRunner(
                self._log,
                self._codec,
                views,
                self._projectors,
                batch_size=self._batch_size,
                forget=self._withdrawn,
            )
            await runner.start(resume=resume)
        except BaseException:
            await views.aclose()
            raise
        return _FollowedViews(views, runner)

    def _withdrawn(self) -> None:
        """Let go of all that may hold what was withdrawn: memories, and soon former views and those being made.

        Whoever withdrew it may have done so on another node, and knows nothing of the files here.
        """
        self._forget()
        self._others_hold_text = True

    def _drop_others(self) -> None:
        """Delete the other files where they may hold what was withdrawn, once this process answers from those in use."""
        if self._others_hold_text and self._directory.current == self.path:
            self._directory.drop()
            self._others_hold_text = False


class _FollowedViews:
    """A views file with what follows the log into it."""

    def __init__(self, views: ViewsFile, runner: ProjectionRunner) -> None:
        self.views = views
        self.runner = runner
        self._following: asyncio.Task[None] | None = None

    def follow(self) -> None:
        self._following = asyncio.create_task(self.runner.run(), name="projections")

    @property
    def position(self) -> int:
        return min(point.position for point in self.runner.checkpoints.values())

    def is_level_with(self, other: "_FollowedViews") -> bool:
        """Whether no projection has come less far than in `other`, as whoever reads that file finds it now.

        Its runner may know less: other processes write to the file too.
        """
        ours = self.runner.checkpoints
        try:
            theirs = other.views.checkpoints()
        except sqlite3.Error:  # The file is damaged, which is why it is given up.
            theirs = other.runner.checkpoints
        return all(ours[name].position >= point.position for name, point in theirs.items())

    async def aclose(self) -> None:
        if self._following:
            self._following.cancel()
            await asyncio.wait([self._following])
        await self.runner.release()
        await self.views.aclose()
