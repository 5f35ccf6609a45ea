"""The only place where adapters meet ports: opens a data directory as a store that commands and queries can use."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from ledgerpress.adapters.sqlite.backup import backup, restore
from ledgerpress.adapters.sqlite.log import SqliteEventLog
from ledgerpress.adapters.sqlite.views import SqliteViews, views_path
from ledgerpress.application.desk import Carried
from ledgerpress.application.event_codec import event_codec
from ledgerpress.application.opening import open_publication
from ledgerpress.application.press import Press
from ledgerpress.application.sources import Clock, Randomness, SystemClock, SystemRandomness
from ledgerpress.eventlog.errors import LogUnusable
from ledgerpress.eventlog.ids import uuid7
from ledgerpress.eventlog.log import EventLog
from ledgerpress.projections.all import every_projector
from ledgerpress.projections.checkpoints import Checkpoint
from ledgerpress.projections.projector import Projector
from ledgerpress.projections.runner import ProjectionRunner
from ledgerpress.readmodels import commands, people
from ledgerpress.readmodels.temporal import Snapshot

LOG_FILE: Final = "log.sqlite"


@dataclass(frozen=True, slots=True)
class Store:
    """An open store: the press takes commands, snapshots answer queries."""

    log: EventLog
    views: SqliteViews
    runner: ProjectionRunner
    press: Press
    clock: Clock

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Lend the views as of the position that every projection has reached."""
        return self.views.snapshot()

    @property
    def checkpoints(self) -> dict[str, Checkpoint]:
        """How far each projection has come, by name."""
        return self.runner.checkpoints


class _PressViews:
    """What the press needs of the views."""

    def __init__(self, views: SqliteViews, runner: ProjectionRunner) -> None:
        self._views = views
        self._runner = runner

    async def wait_for(self, position: int, timeout: float, names: Sequence[str] = ()) -> bool:
        return await self._runner.wait_for(position, timeout, names)

    def carried(self, command_id: str) -> Carried | None:
        with self._views.snapshot() as snapshot:
            found = commands.carried(snapshot, command_id)
        return Carried(*found) if found else None

    def category_in_use(self, category_ids: frozenset[str]) -> bool:
        with self._views.snapshot() as snapshot:
            return commands.category_in_use(snapshot, category_ids)


@asynccontextmanager
async def open_store(
    data: Path,
    *,
    create: bool = True,
    clock: Clock | None = None,
    randomness: Randomness | None = None,
    projectors: Sequence[Projector] | None = None,
    progress: Callable[[int, int], None] | None = None,
    batch_size: int = 500,
) -> AsyncIterator[Store]:
    """Open the store in the directory `data`, with views that have caught up with the log.

    With `create`, a directory that is missing or empty becomes a new store. `progress` is called with the position
    reached and the head while the views catch up. Raises `LogUnusable` for a directory that holds something else.
    """
    clock, randomness = clock or SystemClock(), randomness or SystemRandomness()
    projectors = every_projector() if projectors is None else projectors
    check_data_directory(data, create=create)
    new_publication = partial(_new_publication, clock, randomness)
    log = await SqliteEventLog.open(data / LOG_FILE, create_as=new_publication if create else None)
    try:
        codec = event_codec()
        name_key = await open_publication(log, codec, clock, randomness)
        views = await SqliteViews.open(views_path(data, projectors), projectors)
        try:
            await _drop_foreign_views(log, views, projectors)
            runner = ProjectionRunner(log, codec, views, projectors, batch_size=batch_size)
            await runner.start()
            head = await log.head()
            await runner.catch_up(partial(_report, progress, head))
            press = Press(
                log=log,
                codec=codec,
                views=_PressViews(views, runner),
                clock=clock,
                randomness=randomness,
                name_key=name_key,
            )
            following = asyncio.create_task(runner.run(), name="projections")
            try:
                yield Store(log, views, runner, press, clock)
            finally:
                following.cancel()
                with suppress(asyncio.CancelledError):
                    await following
        finally:
            await views.aclose()
    finally:
        await log.aclose()


def check_data_directory(data: Path, *, create: bool) -> None:
    """Make the directory if need be. Raises `LogUnusable` where it is not one of ours."""
    try:
        if data.exists() and not data.is_dir():
            raise LogUnusable(f"{data} is a file; a data directory is needed")
        if not (data / LOG_FILE).exists():
            if not create:
                raise LogUnusable(f"there is no LedgerPress store in {data}")
            if data.exists() and any(data.iterdir()):
                raise LogUnusable(
                    f"{data} holds other files and no {LOG_FILE}: name an empty directory, or a new one"
                )
            _make_directory(data)
    except OSError as error:
        raise LogUnusable(f"{data} cannot be used: {error.strerror}") from error


def _make_directory(directory: Path) -> None:
    """Make a directory, and those above it that are missing, to stay: SQLite syncs no directory but the log's own.

    Like SQLite, it does without where a file system cannot sync a directory.
    """
    directory = directory.absolute()
    if directory.is_dir():
        return
    _make_directory(directory.parent)
    directory.mkdir(exist_ok=True)
    above = os.open(directory.parent, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(above)
    finally:
        os.close(above)


def is_vacant(data: Path) -> bool:
    """Return whether there is no store in `data` yet, but could be. Raises `LogUnusable` where there could not."""
    check_data_directory(data, create=True)
    return not (data / LOG_FILE).exists()


async def read_status(data: Path) -> dict[str, Any]:
    """Return what is in the store in `data`, as plain data. Raises `LogUnusable`."""
    async with open_store(data, create=False) as store:
        head = await store.log.head()
        with store.snapshot() as snapshot:
            site = people.site_name(snapshot)
        return {
            "publication": store.log.publication,
            "site": site,
            "head": head,
            "projections": [
                {
                    "name": name,
                    "state": "PAUSED" if point.is_paused else "RUNNING",
                    "checkpoint": point.position,
                    "lag": max(0, head - point.position),
                    "error": point.error,
                }
                for name, point in store.checkpoints.items()
            ],
        }


async def backup_log(data: Path, file: Path, *, progress: Callable[[int, int], None] | None = None) -> int:
    """Write a checked copy of the log in `data` to `file`; return its head. Raises `LogUnusable`."""
    check_data_directory(data, create=False)
    return await backup(data / LOG_FILE, file, progress=progress)


async def restore_log(file: Path, data: Path) -> int:
    """Make a store in `data` of the copy in `file`; return its head. Raises `LogUnusable`."""
    if (data / LOG_FILE).exists():
        raise LogUnusable(f"{data} holds a store already: restore into an empty directory, or a new one")
    check_data_directory(data, create=True)
    return await restore(file, data / LOG_FILE)


async def _drop_foreign_views(log: EventLog, views: SqliteViews, projectors: Sequence[Projector]) -> None:
    """Empty views that were built from another log than this one, such as one restored from a backup."""
    for point in views.checkpoints().values():
        if point.position == 0:
            continue
        last = await log.read(point.position - 1, 1)
        if not last or last[0].header.leaf_hash().hex() != point.leaf_hash:
            await views.reset(projectors)
            return


def _new_publication(clock: Clock, randomness: Randomness) -> str:
    return uuid7(clock.now(), randomness.bytes(10))


def _report(progress: Callable[[int, int], None] | None, head: int, position: int) -> None:
    if progress:
        progress(position, max(head, position))
