"""What resolvers work with: the store, and one snapshot of the views for the whole answer."""

from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from strawberry.dataloader import DataLoader
from strawberry.types import Info

from ledgerpress.application.press import Press
from ledgerpress.application.sources import Clock
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.log import EventLog
from ledgerpress.graphql.recorded_events import event_loader
from ledgerpress.projections.checkpoints import Checkpoint
from ledgerpress.readmodels.temporal import Snapshot


class Views(Protocol):
    """What is said of the views in use."""

    @property
    def path(self) -> Path:
        """The file in use."""
        ...

    @property
    def since(self) -> int:
        """Since when this process has answered from that file, in microseconds since 1970, UTC."""
        ...


class Store(Protocol):
    """What the GraphQL layer needs of an open store."""

    @property
    def press(self) -> Press:
        """Where commands go."""
        ...

    @property
    def log(self) -> EventLog:
        """The event log."""
        ...

    @property
    def clock(self) -> Clock:
        """What tells ages."""
        ...

    @property
    def views(self) -> Views:
        """The views in use."""
        ...

    @property
    def checkpoints(self) -> dict[str, Checkpoint]:
        """How far each projection has come, by name."""
        ...

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Lend the views as of one position."""
        ...


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment as of which objects are read, they and what hangs below them.

    `now` is the time that ages are told by, in microseconds since 1970, UTC.
    """

    snapshot: Snapshot
    now: int


class Context:
    """The context of one request. Close it when the answer is ready."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._stack = ExitStack()
        self._today: Moment | None = None
        self.events: DataLoader[int, StoredEvent] = event_loader(store.log)

    @property
    def today(self) -> Moment:
        """The moment that the answer is of, unless it asks for another: one and the same, until a command moves it on."""
        if self._today is None:
            now = self.store.clock.now()
            self._today = Moment(self._stack.enter_context(self.store.snapshot()), now)
        return self._today

    def renew(self) -> Moment:
        """Take a new snapshot, which shows what a command has just done."""
        self.close()
        return self.today

    def close(self) -> None:
        """Give the snapshot back."""
        self._stack.close()
        self._today = None


PressInfo = Info[Context, None]
