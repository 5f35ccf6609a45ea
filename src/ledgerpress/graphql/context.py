"""What resolvers work with: the store, and one snapshot of the views for the whole answer."""

from contextlib import AbstractContextManager, ExitStack
from typing import Protocol

from strawberry.types import Info

from ledgerpress.application.press import Press
from ledgerpress.application.sources import Clock
from ledgerpress.eventlog.log import EventLog
from ledgerpress.projections.checkpoints import Checkpoint
from ledgerpress.readmodels.temporal import Snapshot


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
    def checkpoints(self) -> dict[str, Checkpoint]:
        """How far each projection has come, by name."""
        ...

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Lend the views as of one position."""
        ...


class Context:
    """The context of one request. Close it when the answer is ready."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = store.clock.now()
        self._stack = ExitStack()
        self._snapshot: Snapshot | None = None

    @property
    def snapshot(self) -> Snapshot:
        """The views as the answer sees them: of one moment, until a command moves it on."""
        if self._snapshot is None:
            self._snapshot = self._stack.enter_context(self.store.snapshot())
        return self._snapshot

    def renew(self) -> Snapshot:
        """Take a new snapshot, which shows what a command has just done."""
        self.close()
        self.now = self.store.clock.now()
        return self.snapshot

    def close(self) -> None:
        """Give the snapshot back."""
        self._stack.close()
        self._snapshot = None


PressInfo = Info[Context, None]
