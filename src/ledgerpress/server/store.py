"""Opens a data directory as a store that commands and queries can use."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from ledgerpress.commands import previous_results
from ledgerpress.commands.bootstrap import open_publication
from ledgerpress.commands.command_handler import CommandHandler
from ledgerpress.commands.instrumentation import NO_INSTRUMENTATION, Instrumentation
from ledgerpress.commands.previous_results import PreviousResult
from ledgerpress.eventlog.clock import Clock, SystemClock
from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.event import Event
from ledgerpress.eventlog.health_checked_log import HealthCheckedLog
from ledgerpress.eventlog.ids import uuid7
from ledgerpress.eventlog.log_health import LogHealth
from ledgerpress.eventlog.randomness import Randomness, SystemRandomness
from ledgerpress.features.posts.body import rendering
from ledgerpress.features.registry import FEATURES, all_projectors, event_codec
from ledgerpress.server.active_views import ActiveViews
from ledgerpress.server.data_directory import check_data_directory
from ledgerpress.server.log_url import LOCAL, LogUrl
from ledgerpress.server.node_directory import check_node_directory, claim
from ledgerpress.server.views_builder import ViewsBuilder
from ledgerpress.server.wait_for_log import open_when_available
from ledgerpress.views.files.directory import ViewsDirectory
from ledgerpress.views.projection.checkpoints import Checkpoint
from ledgerpress.views.projection.projector import Projector
from ledgerpress.views.snapshot import Snapshot
from ledgerpress.views.views_version import ViewsVersion

FOLLOW_BATCH_SIZE: Final = 500
"""Events that are applied in one transaction while requests go on."""


@dataclass(frozen=True, slots=True)
class Store:
    """An open store: it handles commands, and its snapshots answer queries."""

    log: HealthCheckedLog
    codec: Codec[Event]
    log_health: LogHealth
    views: ActiveViews
    commands: CommandHandler
    clock: Clock
    randomness: Randomness
    caches: list[Callable[[], None]]
    """Functions that clear a cache. They are called after a withdrawal, and when other views are in use."""

    def views_version(self) -> ViewsVersion:
        """Return how far the views have come: the same object as long as nobody, in any process, changes anything.

        Raises `LogReplaced` where the log was: they may tell of what is in no log any more.
        """
        self.log.check_not_replaced()
        return self.views.views_version()

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Lend the views as of the position that every projection has reached. Raises `LogReplaced`."""
        self.log.check_not_replaced()
        return self.views.snapshot()

    @property
    def checkpoints(self) -> dict[str, Checkpoint]:
        """How far each projection has come, by name."""
        return self.views.checkpoints

    @property
    def position(self) -> int:
        """The position that every projection has reached, as far as this process knows."""
        return min(point.position for point in self.views.checkpoints.values())


class _CommandViews:
    """What commands need of the views."""

    def __init__(self, views: ActiveViews) -> None:
        self._views = views

    async def wait_for(self, position: int, timeout: float, names: Sequence[str] = ()) -> bool:
        return await self._views.wait_for(position, timeout, names)

    def previous_result(self, command_id: str) -> PreviousResult | None:
        with self._views.snapshot() as snapshot:
            return previous_results.previous_result(snapshot, command_id)

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        return self._views.snapshot()


@asynccontextmanager
async def open_store(
    data: Path,
    *,
    log: str = LOCAL,
    create: bool = True,
    clock: Clock | None = None,
    randomness: Randomness | None = None,
    projectors: Sequence[Projector] | None = None,
    progress: Callable[[int, int], None] | None = None,
    batch_size: int | None = None,
    resume: bool = True,
    observer: Instrumentation = NO_INSTRUMENTATION,
    patience: float = 0.0,
) -> AsyncIterator[Store]:
    """Open the store in the directory `data`, with views that have caught up with the log at the URL `log`.

    With `create`, a directory that is missing or empty becomes a new store, and a log that is missing is made.
    `progress` is called with the position reached and the head while the views are made or catch up, at most
    `batch_size` events at a time. With `resume`, paused projections are tried again. `observer` is told of what commands
    do. Raises `LogUnusable` for a directory that holds something else, and `LogUnavailable` where the log's server
    cannot be reached for `patience` seconds.
    """
    clock, randomness = clock or SystemClock(), randomness or SystemRandomness()
    projectors = all_projectors() if projectors is None else projectors
    url = LogUrl.parse(log)
    if url.is_local:
        check_data_directory(data, create=create)
    else:
        check_node_directory(data, create=False)
    new_publication = partial(_new_publication, clock, randomness)
    create_as = new_publication if create else None
    opened = await open_when_available(url, data, create_as=create_as, patience=patience)
    try:
        if not url.is_local:
            check_node_directory(data)
            claim(data, opened.publication)
        codec = event_codec()
        watched = HealthCheckedLog(opened)
        name_key = await open_publication(watched, codec, clock, randomness, FEATURES.first_events)
        directory = ViewsDirectory(data, projectors)
        memories = [rendering.forget]
        views = ActiveViews(
            watched,
            codec,
            directory,
            projectors,
            clock,
            batch_size=batch_size or FOLLOW_BATCH_SIZE,
            forget=partial(_forget, memories),
        )
        making = ViewsBuilder(watched, codec, directory, projectors, batch_size=batch_size)
        await views.start(partial(making.make, progress), resume=resume)
        try:
            head = await watched.head()
            await views.catch_up(partial(_report, progress, head))
            commands = CommandHandler(
                log=watched,
                codec=codec,
                declarations=FEATURES.declarations,
                views=_CommandViews(views),
                clock=clock,
                randomness=randomness,
                name_key=name_key,
                observer=observer,
            )
            memories.append(commands.clear_cache)
            watched.verify_applied(lambda: views.applied)
            views.follow()
            watching = [
                asyncio.create_task(views.watch(), name="views in use"),
                asyncio.create_task(watched.watch(), name="contact with the log"),
            ]
            try:
                yield Store(watched, codec, watched.health, views, commands, clock, randomness, memories)
            finally:
                for task in watching:
                    task.cancel()
                await asyncio.wait(watching)
        finally:
            await views.aclose()
    finally:
        await opened.aclose()


def _forget(memories: Sequence[Callable[[], None]]) -> None:
    for forget in memories:
        forget()


def _new_publication(clock: Clock, randomness: Randomness) -> str:
    return uuid7(clock.now(), randomness.bytes(10))


def _report(progress: Callable[[int, int], None] | None, head: int, position: int) -> None:
    if progress:
        progress(position, max(head, position))
