"""A category of streams: what a feature declares so that the states of its streams can be loaded."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from ledgerpress.commands.append_plan import PlannedWrite
from ledgerpress.eventlog.event import Event

S = TypeVar("S")


class StreamCategory(NamedTuple, Generic[S]):
    """Streams of one kind: how they are named, their state before the first event, and what an event makes of it.

    `evolve` MUST ignore events of types that it does not know: features above may add theirs to the stream.
    """

    prefix: str
    initial: S
    evolve: Callable[[S, Any], S]

    def stream(self, id: str = "") -> str:
        """Return the name of a stream; a category with a single stream needs no id."""
        return f"{self.prefix}.{id}" if id else self.prefix


class LoadedStream(NamedTuple, Generic[S]):
    """A stream's state, its version, and the id of the actor who recorded its first event."""

    name: str
    version: int
    state: S
    created_by: str | None

    def write(self, events: Sequence[Event]) -> PlannedWrite:
        """Return the write of `events`, which fails if the stream has changed since it was loaded."""
        return PlannedWrite(self.name, self.version, events)
