"""Opens a data directory as a store that commands and queries can use."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ledgerpress.adapters.sqlite.log import SqliteEventLog
from ledgerpress.adapters.sqlite.views import SqliteViews, views_path
from ledgerpress.application.desk import Carried
from ledgerpress.application.event_codec import event_codec
from ledgerpress.application.opening import open_publication
from ledgerpress.application.press import Press
from ledgerpress.application.sources import Clock, Randomness, SystemClock, SystemRandomness
from ledgerpress.compose.data_directory import LOG_FILE, check_data_directory
from ledgerpress.eventlog.ids import uuid7
from ledgerpress.eventlog.log import EventLog
from ledgerpress.projections.all import every_projector
from ledgerpress.projections.checkpoints import Checkpoint
from ledgerpress.projections.projector import Projector
from ledgerpress.projections.runner import ProjectionRunner
from ledgerpress.readmodels import body, commands
from ledgerpress.readmodels.temporal import Snapshot


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
