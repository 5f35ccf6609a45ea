"""Categories of streams, and loading the state of a stream by folding its events."""

from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeVar

from ledgerpress.bounded_cache import BoundedCache
from ledgerpress.commands.append_plan import PlannedWrite
from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.event import Event
from ledgerpress.eventlog.log import EventLog

S = TypeVar("S")

MAX_CACHED_STATES: Final = 1_024


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


class StateLoader:
    """Loads the states of streams. It caches the ones used last and reads on from their versions."""

    def __init__(self, log: EventLog, codec: Codec[Event]) -> None:
        self._log = log
        self._codec = codec
        self._cache: BoundedCache[str, LoadedStream[Any]] = BoundedCache(max_entries=MAX_CACHED_STATES)
        self._clearings = 0

    def clear(self) -> None:
        """Forget every cached state: a payload in it may have been withdrawn."""
        self._cache.clear()
        self._clearings += 1

    async def load(self, category: StreamCategory[S], id: str = "") -> LoadedStream[S]:
        """Return the current state of a stream."""
        stream, clearings = category.stream(id), self._clearings
        cached = self._cache.get(stream)
        _, version, state, created_by = cached or LoadedStream(stream, 0, category.initial, None)
        for recorded in self._codec.decode_all(await self._log.read_stream(stream, version)):
            version, state = recorded.header.stream_version, category.evolve(state, recorded.event)
            created_by = created_by or recorded.header.actor_id
        loaded = LoadedStream(stream, version, state, created_by)
        if version and clearings == self._clearings:
            self._cache.put(stream, loaded)
        return loaded

    async def events(self, stream: str) -> list[Event]:
        """Return all events of a stream in order: the event of version 1 first."""
        return [recorded.event for recorded in self._codec.decode_all(await self._log.read_stream(stream))]
