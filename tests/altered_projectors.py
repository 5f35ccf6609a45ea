"""Projectors that do something else than the real ones."""

import sqlite3
from collections.abc import Callable
from typing import TypeAlias

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.views.projection.projector_interface_and_composition import Projector, ProjectorBatch

Apply: TypeAlias = Callable[[ProjectorBatch, Recorded[Event]], None]


class Altered:
    """A sound projector, but for how an event is applied."""

    def __init__(self, sound: Projector, apply: Apply) -> None:
        """`apply` gets what the sound one writes with, and an event."""
        self.name, self.version = sound.name, sound.version
        self.schema, self.indexes = sound.schema, sound.indexes
        self._sound = sound
        self._apply = apply

    def begin(self, db: sqlite3.Connection) -> ProjectorBatch:
        return AlteredWriting(self._sound.begin(db), self._apply)


class AlteredWriting:
    """What a sound projector writes with, but for how an event is applied."""

    def __init__(self, sound: ProjectorBatch, apply: Apply) -> None:
        self._sound = sound
        self._apply = apply

    def apply(self, recorded: Recorded[Event]) -> None:
        self._apply(self._sound, recorded)

    def flush(self) -> None:
        self._sound.flush()
