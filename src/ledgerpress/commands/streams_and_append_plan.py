"""Streams as commands use them: their categories, their states, folded from events, and the events planned for them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, TypeVar

from ledgerpress.bounded_cache import BoundedCache
from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.errors import WrongExpectedVersion
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.log import EventLog

S = TypeVar("S")

MAX_CACHED_STATES: Final = 1_024


@dataclass(frozen=True, slots=True)
class PlannedWrite:
    """Events for one stream, and the version at which it was loaded. Without events, it only checks the version."""

    stream: str
    expected: int
    events: Sequence[Event] = ()


@dataclass(frozen=True, slots=True)
class AppendPlan:
    """The writes of a command. `subject_id` is the id of what it is about. Without writes there is nothing to do."""

    subject_id: str
    writes: tuple[PlannedWrite, ...] = ()

    @staticmethod
    def of(subject_id: str, *writes: PlannedWrite) -> "AppendPlan":
        """Return the plan of those `writes` that have events."""
        return AppendPlan(subject_id, tuple(write for write in writes if write.events))

    @property
    def events(self) -> tuple[Event, ...]:
        """All events in the order in which they are recorded."""
        return tuple(event for write in self.writes for event in write.events)

    def adding(self, writes: Iterable[PlannedWrite]) -> "AppendPlan":
        """Return the plan with the events of `writes` after its own; those of one stream stay together.

        A stream that is in the plan keeps the version at which the plan loaded it, so that the append fails if it has
        changed since. Raises `WrongExpectedVersion` for one that was loaded before at an older version.
        """
        merged = {write.stream: write for write in self.writes}
        for write in writes:
            if write.events:
                planned = merged.get(write.stream, PlannedWrite(write.stream, write.expected))
                _check_same_version(planned, write.expected)
                merged[write.stream] = PlannedWrite(
                    write.stream, planned.expected, (*planned.events, *write.events)
                )
        return AppendPlan(self.subject_id, tuple(merged.values()))

    def checking(self, versions: Iterable[tuple[str, int]]) -> "AppendPlan":
        """Return the plan that fails, too, if one of these streams has another version by then.

        Raises `WrongExpectedVersion` if a stream of the plan was loaded at another version than it was planned on.
        """
        planned = {write.stream: write for write in self.writes}
        for stream, version in versions:
            _check_same_version(planned.setdefault(stream, PlannedWrite(stream, version)), version)
        return AppendPlan(self.subject_id, tuple(planned.values()))


def _check_same_version(planned: PlannedWrite, version: int) -> None:
    if version != planned.expected:
        raise WrongExpectedVersion(stream=planned.stream, expected=planned.expected, actual=version)


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

    def id_in(self, stream: str) -> str:
        """Return the id in the name of a stream of this category."""
        return stream.removeprefix(f"{self.prefix}.")


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
