"""The only place where adapters meet ports: opens a data directory as a store that commands and queries can use."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from ledgerpress.adapters.sqlite.backup import backup, restore
from ledgerpress.adapters.sqlite.log import SqliteEventLog
from ledgerpress.adapters.sqlite.replica import write_replica
from ledgerpress.adapters.sqlite.views import SqliteViews, views_path
from ledgerpress.adapters.sqlite.views_check import ViewsChecked, check_views, reading
from ledgerpress.application import earlier_head
from ledgerpress.application.desk import Carried
from ledgerpress.application.event_codec import event_codec
from ledgerpress.application.log_check import LogCheck, LogChecked
from ledgerpress.application.opening import open_publication
from ledgerpress.application.press import Press
from ledgerpress.application.request import Request
from ledgerpress.application.sources import Clock, Randomness, SystemClock, SystemRandomness
from ledgerpress.application.withdrawal import withdraw as withdraw_payload
from ledgerpress.eventlog.errors import EventLogError, LogUnusable, WithdrawalUnfinished
from ledgerpress.eventlog.ids import uuid7
from ledgerpress.eventlog.log import EventLog
from ledgerpress.eventlog.tree_head import TreeHead
from ledgerpress.importers.event_lines import batches_of, publication_of
from ledgerpress.projections.all import every_projector
from ledgerpress.projections.checkpoints import Checkpoint
from ledgerpress.projections.lag import lags
from ledgerpress.projections.projector import Projector
from ledgerpress.projections.runner import ProjectionRunner
from ledgerpress.readmodels import body, commands, integrity, people
from ledgerpress.readmodels.integrity import TreeIncomplete, tree_head
from ledgerpress.readmodels.temporal import Snapshot

LOG_FILE: Final = "log.sqlite"
ASIDE: Final = ".aside-"
"""How the names of directories begin in which something is made before it is put in place."""


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
    resume: bool = True,
) -> AsyncIterator[Store]:
    """Open the store in the directory `data`, with views that have caught up with the log.

    With `create`, a directory that is missing or empty becomes a new store. `progress` is called with the position
    reached and the head while the views catch up. With `resume`, paused projections are tried again. Raises `LogUnusable` for a directory that holds something else.
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
            memories = [body.forget]
            runner = ProjectionRunner(
                log, codec, views, projectors, batch_size=batch_size, forget=partial(_forget, memories)
            )
            await runner.start(resume=resume)
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
            memories.append(press.forget)
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
        log = data / LOG_FILE
        others = data.exists() and any(not one.name.startswith((LOG_FILE, ASIDE)) for one in data.iterdir())
        if log.exists() and log.stat().st_size == 0 and others:
            raise LogUnusable(f"{log} is empty, yet there are views of it: restore it from a backup")
        if not log.exists():
            if not create:
                raise LogUnusable(f"there is no LedgerPress store in {data}")
            if others:
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
    _sync_directory(directory.parent)


def _put_in_place(directory: Path, vacant: Path) -> None:
    vacant.rmdir()
    directory.rename(vacant)
    _sync_directory(vacant.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_vacant(data: Path) -> bool:
    """Return whether there is no store in `data` yet, but could be. Raises `LogUnusable` where there could not."""
    check_data_directory(data, create=True)
    return not (data / LOG_FILE).exists()


async def read_status(data: Path, *, progress: Callable[[int, int], None] | None = None) -> dict[str, Any]:
    """Return what is in the store in `data`, as plain data. Raises `LogUnusable`."""
    async with open_store(data, create=False, resume=False, progress=progress) as store:
        head, points = await store.log.head(), store.checkpoints
        behind = await lags(store.log, points, store.clock.now())
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
                    "lag": behind[name].events,
                    "lagSeconds": behind[name].seconds,
                    "failedAt": point.failed_at,
                    "error": point.error,
                }
                for name, point in points.items()
            ],
        }


async def backup_log(data: Path, file: Path, *, progress: Callable[[int, int], None] | None = None) -> int:
    """Write a checked copy of the log in `data` to `file`; return its head. Raises `LogUnusable`."""
    check_data_directory(data, create=False)
    return await backup(data / LOG_FILE, file, progress=progress)


async def restore_log(file: Path, data: Path, *, progress: Callable[[int, int], None] | None = None) -> int:
    """Make a store in `data` of the copy in `file`; return its head. Raises `LogUnusable`."""
    if (data / LOG_FILE).exists():
        raise LogUnusable(f"{data} holds a store already: restore into an empty directory, or a new one")
    check_data_directory(data, create=True)
    return await restore(file, data / LOG_FILE, progress=progress)


async def read_head(data: Path) -> TreeHead:
    """Return the head of the log in `data`. Raises `LogUnusable`, and `EventLogError` while a projection is paused."""
    async with open_store(data, create=False) as store:
        with store.snapshot() as snapshot:
            head = await store.log.head()
            if snapshot.position < head:
                raise EventLogError(
                    f"the views are at position {snapshot.position:,} and the log at {head:,}: see ledgerpress status"
                )
            return tree_head(snapshot, store.log.publication)


async def verify_log(
    data: Path, kept: TreeHead | None = None, *, progress: Callable[[int, int], None] | None = None
) -> LogChecked:
    """Check every event in `data` by its bytes, and that the log extends what the views have seen and `kept`.

    Raises `LogUnusable` where there is no log that can be opened.
    """
    async with reading_log(data) as log:
        path = views_path(data, every_projector())
        with reading(path) as snapshot:
            seen = None if snapshot is None else _seen(snapshot, log.publication)
        earlier = [
            (head, whose) for head, whose in ((kept, "the head kept"), (seen, "what the views saw")) if head
        ]

        def kept_leaves(after: int, limit: int) -> dict[int, bytes]:
            with reading(path) as snapshot:
                return {} if snapshot is None else integrity.leaf_hashes(snapshot, after, limit)

        check = LogCheck(log, event_codec(), kept=kept_leaves, roots_at={head.size for head, _ in earlier})
        checked = await check.run(progress)
        for head, whose in earlier:
            checked.finding = checked.finding or earlier_head.compare(checked, head, whose)
        return checked


async def verify_views(
    data: Path, *, progress: Callable[[int, int], None] | None = None
) -> ViewsChecked | None:
    """Compare the views in `data` with ones made anew from the log; `None` where there are none. Raises `LogUnusable`."""
    projectors = every_projector()
    async with reading_log(data) as log:
        return await check_views(views_path(data, projectors), log, event_codec(), projectors, progress)


@asynccontextmanager
async def reading_log(data: Path) -> AsyncIterator[EventLog]:
    """Open the log in `data` and nothing else: no views are made or changed. Raises `LogUnusable`."""
    check_data_directory(data, create=False)
    log = await SqliteEventLog.open(data / LOG_FILE, create_as=None)
    try:
        yield log
    finally:
        await log.aclose()


async def import_events(
    file: Path, data: Path, *, progress: Callable[[int, int], None] | None = None
) -> TreeHead:
    """Make a store in `data`, which must be empty or new, of the events in `file`; return its head.

    The log is made aside and checked from its first event to its last before it is put in its place. Raises
    `LogUnusable` where there is a store already, and `EventLogError` where anything is wrong with an event.
    """
    if not is_vacant(data):
        raise LogUnusable(f"{data} holds a store already: import into an empty directory, or a new one")
    with TemporaryDirectory(prefix=".import-", dir=data.parent) as aside:
        place = Path(aside) / "store"
        place.mkdir()
        publication = publication_of(file)
        await write_replica(place / LOG_FILE, publication, batches_of(file, publication))
        async with reading_log(place) as log:
            checked = await LogCheck(log, event_codec()).run(progress)
        if checked.finding is not None:
            raise EventLogError(f"line {checked.finding.position}: {checked.finding.what}")
        _put_in_place(place, data)
    return checked.head


async def withdraw(
    data: Path, position: int, reason: str, *, progress: Callable[[int, int], None] | None = None
) -> int:
    """Withdraw the payload of the event at `position`: from the log, and from all views. Returns the record's position.

    Raises `LogUnusable`, `Rejected`, `WithdrawalUnfinished`.
    """
    async with open_store(data, create=False, progress=progress) as store:
        request = Request(reason=reason)
        found = await withdraw_payload(
            store.log, event_codec(), store.clock, SystemRandomness(), position, request
        )
        _delete_other_views(store.views.path)
        while not (await store.runner.wait_for(found, 1.0) and await store.views.sweep()):
            if any(point.is_paused and point.position < found for point in store.checkpoints.values()):
                raise WithdrawalUnfinished(
                    "a projection is paused before the withdrawal: see ledgerpress status"
                )
        return found


def _seen(views: Snapshot, publication: str) -> TreeHead | None:
    """Return the head that the views have seen; `None` where an event is skipped in their tree."""
    try:
        return tree_head(views, publication)
    except TreeIncomplete:
        return None


def _delete_other_views(views: Path) -> None:
    """Delete the views of other versions of the program, which nobody may be keeping up with the log."""
    for file in views.parent.glob("views-*"):
        if not file.name.startswith(views.name):
            file.unlink(missing_ok=True)


def _forget(memories: Sequence[Callable[[], None]]) -> None:
    for forget in memories:
        forget()


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
