"""Projectors that apply events differently from the real ones."""

import sqlite3
from collections.abc import Callable
from typing import TypeAlias

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.views.projection.projector_interface_and_composition import (
    Projector,
    ProjectorBatch,
    ProjectorOfParts,
)

Apply: TypeAlias = Callable[[ProjectorBatch, Recorded[Event]], None]


class Altered:
    """A wrapper of a projector that applies events with a function of the test."""

    def __init__(self, projector: Projector, apply: Apply) -> None:
        """Wrap `projector`; `apply` receives its batch and an event."""
        self.name, self.version = projector.name, projector.version
        self.schema, self.indexes = projector.schema, projector.indexes
        if isinstance(projector, ProjectorOfParts):
            self.parts = projector.parts
        self._projector = projector
        self._apply = apply

    def begin(self, db: sqlite3.Connection) -> ProjectorBatch:
        return AlteredWriting(self._projector.begin(db), self._apply)


class AlteredWriting:
    """A wrapper of a batch that applies events with a function of the test."""

    def __init__(self, batch: ProjectorBatch, apply: Apply) -> None:
        self._batch = batch
        self._apply = apply

    def apply(self, recorded: Recorded[Event]) -> None:
        self._apply(self._batch, recorded)

    def flush(self) -> None:
        self._batch.flush()
