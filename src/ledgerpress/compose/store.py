"""Opens a data directory as a store that commands and queries can use."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from ledgerpress.adapters.sqlite.views_directory import ViewsDirectory
from ledgerpress.application.desk import Carried
from ledgerpress.application.event_codec import event_codec
from ledgerpress.application.observing import UNOBSERVED, Observer
from ledgerpress.application.opening import open_publication
from ledgerpress.application.press import Press
from ledgerpress.application.sources import Clock, Randomness, SystemClock, SystemRandomness
from ledgerpress.compose.awaited_log import open_awaited_log
from ledgerpress.compose.data_directory import check_data_directory
from ledgerpress.compose.log_url import LOCAL, LogUrl
from ledgerpress.compose.node_directory import check_node_directory, claim
from ledgerpress.compose.served_views import ServedViews
from ledgerpress.compose.views_making import ViewsMaking
from ledgerpress.eventlog.contact import Contact
from ledgerpress.eventlog.ids import uuid7
from ledgerpress.eventlog.watched_log import WatchedLog
from ledgerpress.projections.all import every_projector
from ledgerpress.projections.checkpoints import Checkpoint
from ledgerpress.projections.projector import Projector
from ledgerpress.readmodels import body, commands
from ledgerpress.readmodels.standing import Standing
from ledgerpress.readmodels.temporal import Snapshot

FOLLOWED_AT_ONCE: Final = 500
"""Events that are applied in one transaction while requests go on."""


@dataclass(frozen=True, slots=True)
class Store:
    """An open store: the press takes commands, snapshots answer queries."""

    log: WatchedLog
    contact: Contact
    views: ServedViews
    press: Press
    clock: Clock
    randomness: Randomness
    memories: list[Callable[[], None]]
    """What forgets, where memory may hold what was withdrawn, or what views told that are no longer in use."""

    def standing(self) -> Standing:
        """Return how far the views have come: the same object as long as nobody, in any process, changes anything.

        Raises `LogReplaced` where the log was: they may tell of what is in no log any more.
        """
        self.log.check_place()
        return self.views.standing()

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Lend the views as of the position that every projection has reached. Raises `LogReplaced`."""
        self.log.check_place()
        return self.views.snapshot()

    @property
    def checkpoints(self) -> dict[str, Checkpoint]:
        """How far each projection has come, by name."""
        return self.views.checkpoints

    @property
    def position(self) -> int:
        """The position that every projection has reached, as far as this process knows."""
        return min(point.position for point in self.views.checkpoints.values())


class _PressViews:
    """What the press needs of the views."""

    def __init__(self, views: ServedViews) -> None:
        self._views = views

    async def wait_for(self, position: int, timeout: float, names: Sequence[str] = ()) -> bool:
        return await self._views.wait_for(position, timeout, names)

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
    log: str = LOCAL,
    create: bool = True,
    clock: Clock | None = None,
    randomness: Randomness | None = None,
    projectors: Sequence[Projector] | None = None,
    progress: Callable[[int, int], None] | None = None,
    batch_size: int | None = None,
    resume: bool = True,
    observer: Observer = UNOBSERVED,
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
    projectors = every_projector() if projectors is None else projectors
    url = LogUrl.parse(log)
    if url.is_local:
        check_data_directory(data, create=create)
    else:
        check_node_directory(data, create=False)
    new_publication = partial(_new_publication, clock, randomness)
    create_as = new_publication if create else None
    opened = await open_awaited_log(url, data, create_as=create_as, patience=patience)
    try:
        if not url.is_local:
            check_node_directory(data)
            claim(data, opened.publication)
        codec = event_codec()
        watched = WatchedLog(opened)
        name_key = await open_publication(watched, codec, clock, randomness)
        directory = ViewsDirectory(data, projectors)
        memories = [body.forget]
        views = ServedViews(
            watched,
            codec,
            directory,
            projectors,
            clock,
            batch_size=batch_size or FOLLOWED_AT_ONCE,
            forget=partial(_forget, memories),
        )
        making = ViewsMaking(watched, codec, directory, projectors, batch_size=batch_size)
        await views.start(partial(making.make, progress), resume=resume)
        try:
            head = await watched.head()
            await views.catch_up(partial(_report, progress, head))
            press = Press(
                log=watched,
                codec=codec,
                views=_PressViews(views),
                clock=clock,
                randomness=randomness,
                name_key=name_key,
                observer=observer,
            )
            memories.append(press.forget)
            watched.go_by(lambda: views.applied)
            views.follow()
            watching = [
                asyncio.create_task(views.watch(), name="views in use"),
                asyncio.create_task(watched.watch(), name="contact with the log"),
            ]
            try:
                yield Store(watched, watched.contact, views, press, clock, randomness, memories)
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
