"""The context of resolvers: the store, and one snapshot of the views for the whole response."""

import sqlite3
from collections.abc import Iterable
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from graphql import GraphQLError
from strawberry.dataloader import DataLoader
from strawberry.types import Info

from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR, Identity
from ledgerpress.commands.command_handler import CommandHandler
from ledgerpress.eventlog.clock_randomness_ids import Clock, Randomness
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.log import EventLog
from ledgerpress.eventlog.log_health import LogHealth
from ledgerpress.graphql.errors import views_failure
from ledgerpress.graphql.event_loader_and_payload_redaction import event_loader
from ledgerpress.graphql.request_telemetry_record import NO_TRACE, Trace
from ledgerpress.views.computed_values import ComputedValues
from ledgerpress.views.feature_declarations import DeclaredViews
from ledgerpress.views.files.views_health import ViewsHealth, ViewsUnavailable
from ledgerpress.views.filter_past_items_public_today import PublicFilter
from ledgerpress.views.projection.checkpoints import Checkpoint
from ledgerpress.views.relative_time_text import relative_time, relative_time_changes_at
from ledgerpress.views.snapshot_and_cache_dependencies import CacheDependencies, Snapshot


class ViewsInfo(Protocol):
    """Information about the views in use."""

    @property
    def path(self) -> Path:
        """The views file in use."""

    @property
    def since(self) -> int:
        """The time since which this process has used that file, in microseconds since 1970, UTC."""

    @property
    def health(self) -> ViewsHealth:
        """What prevents reading or writing that file."""

    @property
    def damaged_files(self) -> int:
        """The number of damaged views files that this process has deleted."""

    @property
    def changes(self) -> int:
        """A number that changes when a projection has advanced, paused or resumed."""

    async def wait_for(self, position: int, timeout: float) -> bool:
        """Wait at most `timeout` seconds until every projection has reached `position`; return whether they have."""

    async def wait_for_change(self, after: int, timeout: float) -> None:
        """Wait at most `timeout` seconds until `changes` is no longer `after`."""


class Store(Protocol):
    """The part of an open store that the GraphQL layer needs."""

    @property
    def commands(self) -> CommandHandler:
        """The command handler."""

    @property
    def log(self) -> EventLog:
        """The event log."""

    @property
    def log_health(self) -> LogHealth:
        """The known health of the event log; reading it does not contact the log."""

    @property
    def clock(self) -> Clock:
        """The clock by which ages are computed."""

    @property
    def declared(self) -> DeclaredViews:
        """The declarations of the features for the views."""

    @property
    def views(self) -> ViewsInfo:
        """The views in use."""

    @property
    def randomness(self) -> Randomness:
        """The source of randomness for secrets."""

    @property
    def checkpoints(self) -> dict[str, Checkpoint]:
        """The checkpoint of each projection, by name."""

    @property
    def computed(self) -> ComputedValues:
        """Values that features have computed from payloads."""

    @property
    def position(self) -> int:
        """The position that every projection is known to have reached."""

    @property
    def public_history(self) -> bool:
        """Whether everyone may read the published revisions of articles. It never changes."""

    def last_withdrawal(self, snapshot: Snapshot) -> int:
        """Return the position of the last withdrawal of a payload. What was read before may contain that payload."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Return the views as of one position; they are released on exit."""


@dataclass(frozen=True, slots=True)
class PointInTime:
    """A moment as of which objects, and the objects below them, are read.

    `time` is the time by which ages are computed, in microseconds since 1970, UTC. If it is the current time, `reads`
    records how long a response stays valid. `viewer` decides which non-public objects are visible. `related` is the
    moment as of which the categories and authors of a post are read, if the viewer may see the past of that post only.
    If `has_dated_ids`, ids of objects contain the position, because the client asked for the objects as of a moment.
    """

    snapshot: Snapshot
    time: int
    viewer: Identity = ANONYMOUS
    related: "PointInTime | None" = None
    reads: CacheDependencies | None = None
    has_dated_ids: bool = False

    @property
    def for_related(self) -> "PointInTime":
        """The moment as of which categories and authors, with their articles, are read."""
        return self.related or self

    @property
    def now(self) -> int:
        """The time by which ages are computed. A response that uses it other than with `age_of` is not cached."""
        if self.reads is not None:
            self.reads.never_cache()
        return self.time

    def age_of(self, then: int) -> str:
        """Return the age of the time `then`, as text."""
        if self.reads is not None:
            self.reads.within(since=self.time, until=relative_time_changes_at(then, self.time))
        return relative_time(then, self.time)


class Context:
    """The context of one request. Close it when the response is complete.

    If `open_past` is true, everyone may see the past of the articles that are public today.
    """

    def __init__(
        self,
        store: Store,
        identity: Identity = LOCAL_OPERATOR,
        *,
        open_past: bool = False,
        trace: Trace = NO_TRACE,
        reads: CacheDependencies | None = None,
    ) -> None:
        self._store = store
        self.reads = reads or CacheDependencies()
        self.identity = identity
        self.trace = trace
        self.open_past = open_past
        self.deadline: float | None = None
        """The deadline of the response, by `time.monotonic`; the execution checks it."""
        self._opened: AbstractContextManager[Snapshot] | None = None
        self._today: PointInTime | None = None
        self._public_today: PublicFilter | None = None
        self._events: DataLoader[int, StoredEvent] | None = None

    @property
    def store(self) -> Store:
        """The store. Its data outside the snapshot may change without an event, so the response is not cached."""
        self.reads.never_cache()
        return self._store

    @property
    def declared(self) -> DeclaredViews:
        return self._store.declared

    @property
    def public_history(self) -> bool:
        """Whether everyone may read the published revisions of articles."""
        return self._store.public_history

    @property
    def publication(self) -> str:
        """The id of the publication, which never changes."""
        return self._store.log.publication

    @property
    def events(self) -> DataLoader[int, StoredEvent]:
        """The loader of recorded events. The views learn of withdrawals late, so the response is not cached."""
        self.reads.never_cache()
        self._events = self._events or event_loader(self._store.log)
        return self._events

    @property
    def today(self) -> PointInTime:
        """The current moment, the default for reads. It stays the same until it is refreshed after a command."""
        if self._today is None:
            now = self._store.clock.now()
            snapshots = self._store.snapshot()
            opened = snapshots.__enter__()
            self._opened = snapshots
            snapshot = Snapshot(
                opened.connection, opened.position, opened.only, self.reads, opened.remembered
            )
            self._today = PointInTime(snapshot, now, self.identity, reads=self.reads)
        return self._today

    @property
    def public_today(self) -> PublicFilter:
        """The articles that are public at `today`."""
        if self._public_today is None:
            snapshot = self.today.snapshot
            self._public_today = PublicFilter(snapshot, self.declared)
        return self._public_today

    def refresh(self) -> PointInTime:
        """Take a new snapshot, which shows the effect of a command, and return its moment."""
        self.close()
        return self.today

    def check_views(self, errors: Iterable[GraphQLError]) -> None:
        """Raise `ViewsUnavailable` if one of `errors` shows that the views cannot be read. This closes the context.

        A resolver's exception does not reach the snapshot, which reports failures of the file. So it is passed on here.
        """
        for error in errors:
            if (failure := views_failure(error)) is not None:
                with suppress(sqlite3.Error):
                    self._pass_to_snapshot(failure)
                return

    def note_views_failure(self, failure: sqlite3.Error | ViewsUnavailable) -> None:
        """Report the failure of a read that the caller handles. Raises it if a mistake in code is the cause."""
        with suppress(ViewsUnavailable):
            self._pass_to_snapshot(failure)

    def _pass_to_snapshot(self, failure: sqlite3.Error | ViewsUnavailable) -> None:
        """Close the context, and raise `ViewsUnavailable`, or `failure` if the file is not the cause."""
        if isinstance(failure, ViewsUnavailable) or self._today is None:
            raise failure
        with ExitStack() as stack:
            if self._opened is not None:
                stack.push(self._opened)
                self._opened = None
            self.close()
            raise failure

    def close(self) -> None:
        """Release the snapshot."""
        opened, self._opened = self._opened, None
        self._today = None
        self._public_today = None
        if opened is not None:
            opened.__exit__(None, None, None)


RequestInfo = Info[Context, None]
