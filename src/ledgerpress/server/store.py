"""Open a data directory as a store that handles commands and answers queries."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
    suppress,
)
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final, Protocol

from ledgerpress.commands.command_handler import NO_INSTRUMENTATION, CommandHandler, Instrumentation
from ledgerpress.commands.first_events_of_publication import open_publication
from ledgerpress.eventlog.appended_events import appended_events
from ledgerpress.eventlog.clock_guard import (
    ClockGuard,
    ClockLimits,
    Elapsed,
    default_limits,
    monotonic_microseconds,
)
from ledgerpress.eventlog.clock_randomness_ids import Clock, Randomness, SystemClock, SystemRandomness, uuid7
from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.health_checked_log import HealthCheckedLog
from ledgerpress.eventlog.log import OpenedLog, StreamWrite
from ledgerpress.eventlog.log_health import LogHealth
from ledgerpress.feature import FeatureSet
from ledgerpress.features.history import change_queries as changes
from ledgerpress.features.registry import FEATURES
from ledgerpress.server.data_directory import check_data_directory, check_node_directory, claim_directory
from ledgerpress.server.log_factory import open_when_available
from ledgerpress.server.log_url import LOCAL, LogUrl
from ledgerpress.views import recorded_time_positions as recorded_time
from ledgerpress.views.computed_values import ComputedValues
from ledgerpress.views.feature_declarations import DeclaredViews
from ledgerpress.views.files.active_views import ActiveViews
from ledgerpress.views.files.copy_of_another_set import copy_from_another_set
from ledgerpress.views.files.rebuild_compare_and_switch import ViewsBuilder
from ledgerpress.views.files.views_directory import ViewsDirectory
from ledgerpress.views.files.views_health import ViewsUnavailable
from ledgerpress.views.projection.checkpoints import Checkpoint
from ledgerpress.views.projection.projector_interface_and_composition import Projector
from ledgerpress.views.projection.views_writer_role import ONLY_PROCESS, ViewsAdvance, ViewsWriterRole
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot, ViewsVersion


class OtherWorkers(ViewsWriterRole, Protocol):
    """The other workers of the server of which this process is one."""

    def shared(self, log: OpenedLog, recorded: Callable[[Sequence[StreamWrite], int], None]) -> OpenedLog:
        """Return the log whose appends one worker records, in groups of all workers.

        `recorded` is called with each append that this worker has recorded for another one, and its last position.
        """
        ...

    def following(self, note: Callable[[ViewsAdvance], None]) -> AbstractAsyncContextManager[None]:
        """Call `note` with what other workers commit to the views, within the context."""
        ...


FOLLOW_BATCH_SIZE: Final = 500
"""Events that are applied in one transaction while requests are served."""


@dataclass(frozen=True)
class Store:
    """An open store: `commands` handles commands, snapshots answer queries."""

    log: HealthCheckedLog
    codec: Codec[Event]
    log_health: LogHealth
    views: ActiveViews
    new_command_handler: Callable[[], CommandHandler]
    clock: Clock
    randomness: Randomness
    features: FeatureSet
    """The features of the process."""
    caches: list[Callable[[], None]]
    """Functions that clear a cache. They are called after a withdrawal and after a switch to other views."""
    computed: ComputedValues
    public_history: bool = False
    """Whether everyone may read the published revisions of articles."""

    @cached_property
    def commands(self) -> CommandHandler:
        """The handler of commands. The modules of the commands are imported on first use: many processes only read."""
        handler = self.new_command_handler()
        self.caches.append(handler.clear_cache)
        return handler

    def views_version(self) -> ViewsVersion:
        """Return the version of the views: the same object until a process changes anything in them.

        Raises `LogReplaced` if the log was replaced: the views may contain events that no log contains.
        """
        self.log.check_not_replaced()
        return self.views.views_version()

    def last_withdrawal(self, snapshot: Snapshot) -> int:
        """Return the position of the last withdrawal of a payload: older responses may contain it."""
        return _last_withdrawal(snapshot)

    def unknown_events(self) -> dict[str, int]:
        """Return the number of events of features that are not loaded, by type."""
        with self.snapshot() as snapshot:
            return changes.unknown_events(snapshot, self.codec)

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Open a snapshot of the views, as of the position that every projection has reached. Raises `LogReplaced`."""
        self.log.check_not_replaced()
        return self.views.snapshot()

    def latest_row(self, query: str, parameters: tuple[str, ...]) -> tuple[Any, ...] | None:
        """Return the first row of a query on the views as of their last commit. Raises `LogReplaced`."""
        self.log.check_not_replaced()
        return self.views.latest_row(query, parameters)

    @property
    def declared(self) -> DeclaredViews:
        """The declarations of the features for the views."""
        return self.features.views

    @property
    def checkpoints(self) -> dict[str, Checkpoint]:
        return self.views.checkpoints

    @property
    def position(self) -> int:
        """The position that every projection has reached, as known to this process."""
        return min(point.position for point in self.views.checkpoints.values())


@asynccontextmanager
async def open_store(
    data: Path,
    *,
    log: str = LOCAL,
    features: FeatureSet = FEATURES,
    create: bool = True,
    clock: Clock | None = None,
    clock_limits: ClockLimits | None = None,
    elapsed: Elapsed | None = None,
    randomness: Randomness | None = None,
    projectors: Sequence[Projector] | None = None,
    progress: Callable[[int, int], None] | None = None,
    batch_size: int | None = None,
    resume: bool = True,
    instrumentation: Instrumentation = NO_INSTRUMENTATION,
    log_timeout: float = 0.0,
    serve_while_rebuilding: bool = False,
    workers: OtherWorkers | None = None,
    public_history: bool = False,
) -> AsyncIterator[Store]:
    """Open the store in the directory `data`, with views that have caught up with the log at the URL `log`.

    `features` are the features of the process. With `create`, a missing or empty directory becomes a new store, and a
    missing log is created. `clock_limits` are the limits within which the clock is trusted; otherwise the store is only
    read, and appends raise `ClockRejected`. `elapsed` is a monotonic clock; a `clock` without one is not checked. By default, both are those of the machine. While the views are built or catch up, at most `batch_size` events are applied at a time,
    and `progress` is called with the position reached and the head. With `resume`, paused projections are tried again.
    With `serve_while_rebuilding`, if there are no views of these projectors, the store uses a copy of the views of
    another version; the caller MUST then rebuild the views. `workers` are the other processes of the same server. With
    `public_history`, everyone may read the published revisions of articles. Raises `LogUnusable` if the directory contains something
    else, and `LogUnavailable` if the log's server cannot be reached for `log_timeout` seconds.
    """
    if clock is None:
        clock, elapsed = SystemClock(), elapsed or monotonic_microseconds
    randomness = randomness or SystemRandomness()
    url = LogUrl.parse(log)
    if url.is_local:
        check_data_directory(data, create=create)
    else:
        check_node_directory(data, create=False)
    create_as = partial(_new_publication, clock, randomness) if create else None
    opened = await open_when_available(url, data, create_as=create_as, timeout=log_timeout)
    try:
        if not url.is_local:
            check_node_directory(data)
            claim_directory(data, opened.publication)
        async with store_on_log(
            opened,
            data,
            features=features,
            clock=clock,
            clock_limits=clock_limits,
            elapsed=elapsed,
            randomness=randomness,
            projectors=projectors,
            progress=progress,
            batch_size=batch_size,
            resume=resume,
            instrumentation=instrumentation,
            serve_while_rebuilding=serve_while_rebuilding,
            workers=workers,
            public_history=public_history,
        ) as store:
            yield store
    finally:
        await opened.aclose()


def _recorded_time(views: ActiveViews) -> int | None:
    """Return the recorded time at the position that the views have reached; `None` if they cannot be read."""
    with suppress(ViewsUnavailable, sqlite3.Error), views.snapshot() as snapshot:
        return recorded_time.time_of(snapshot)
    return None


def _last_withdrawal(snapshot: Snapshot) -> int:
    query = changes.ChangeQuery(types=("payload.withdrawn",))
    return next(iter(changes.positions(snapshot, query, limit=1, newest_first=True)), 0)


@asynccontextmanager
async def store_on_log(
    opened: OpenedLog,
    data: Path,
    *,
    features: FeatureSet = FEATURES,
    clock: Clock,
    clock_limits: ClockLimits | None = None,
    elapsed: Elapsed | None = None,
    randomness: Randomness,
    projectors: Sequence[Projector] | None = None,
    progress: Callable[[int, int], None] | None = None,
    batch_size: int | None = None,
    resume: bool = True,
    instrumentation: Instrumentation = NO_INSTRUMENTATION,
    serve_while_rebuilding: bool = False,
    workers: OtherWorkers | None = None,
    public_history: bool = False,
) -> AsyncIterator[Store]:
    """Open the store of an opened log, with views in the existing directory `data`. The caller closes the log.

    The parameters are those of `open_store`.
    """
    projectors = features.projectors if projectors is None else projectors
    codec = features.codec()
    detects_replacement = opened.detects_replacement

    def hand_over(writes: Sequence[StreamWrite], position: int) -> None:
        if detects_replacement:
            views.hand_over(partial(appended_events, codec, opened.publication, writes, position))

    if workers is not None and "groups" in opened.counts:
        # The appends of all workers share transactions.
        checked_log = HealthCheckedLog(workers.shared(opened, hand_over))
    else:
        checked_log = HealthCheckedLog(opened)
    name_key = await open_publication(checked_log, codec, clock, randomness, features.first_events)
    directory = ViewsDirectory(data, projectors)
    caches = list[Callable[[], None]]()
    views = ActiveViews(
        checked_log,
        codec,
        directory,
        projectors,
        clock,
        batch_size=batch_size or FOLLOW_BATCH_SIZE,
        clear_caches=partial(_clear, caches),
        role=ONLY_PROCESS if workers is None else workers,
    )
    builder = ViewsBuilder(checked_log, codec, directory, projectors, batch_size=batch_size)

    async def build() -> None:
        if serve_while_rebuilding and await copy_from_another_set(checked_log, directory, projectors):
            return
        await builder.build(progress)

    head = await checked_log.head()
    await views.start(build, partial(_report, progress, head), resume=resume)
    try:
        with views.snapshot() as snapshot:
            if withdrawal := _last_withdrawal(snapshot):
                views.drop_files_before(withdrawal)
        if elapsed is not None:
            limits = clock_limits or default_limits()
            checked_log.health.clock = ClockGuard(clock, limits, partial(_recorded_time, views), elapsed)
        computed = ComputedValues()
        caches.append(computed.clear)
        checked_log.verify_applied(lambda: views.applied)
        async with AsyncExitStack() as stack:
            if workers is not None:
                await stack.enter_async_context(workers.following(views.note))
            views.follow()
            for work, name in ((views.watch(), "views in use"), (checked_log.watch(), "log health")):
                stack.push_async_callback(_cancelled, asyncio.create_task(work, name=name))
            yield Store(
                checked_log,
                codec,
                checked_log.health,
                views,
                lambda: CommandHandler(
                    log=checked_log,
                    codec=codec,
                    declarations=features.declarations,
                    views=views,
                    clock=clock,
                    randomness=randomness,
                    name_key=name_key,
                    observer=instrumentation,
                    hand_over=views.hand_over if detects_replacement else None,
                ),
                clock,
                randomness,
                features,
                caches,
                computed,
                public_history,
            )
    finally:
        await views.aclose()


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


def _clear(caches: Sequence[Callable[[], None]], positions: Collection[int] | None) -> None:
    """Clear all caches; from those of rendered bodies, remove only the bodies at `positions`, or all if it is `None`."""
    from ledgerpress.features.posts.body import html_rendering_and_sections  # noqa: PLC0415 - imports a parser

    html_rendering_and_sections.forget(positions)
    for clear in caches:
        clear()


def _new_publication(clock: Clock, randomness: Randomness) -> str:
    return uuid7(clock.now(), randomness.bytes(10))


def _report(progress: Callable[[int, int], None] | None, head: int, position: int) -> None:
    if progress:
        progress(position, max(head, position))
