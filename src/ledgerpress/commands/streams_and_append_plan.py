"""Streams as commands use them: categories, states folded from events, and the events that a command appends."""

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
    """Events for one stream, and the version at which it was loaded. A write without events checks the version only."""

    stream: str
    expected: int
    events: Sequence[Event] = ()


@dataclass(frozen=True, slots=True)
class AppendPlan:
    """The writes of a command; none if there is nothing to do. `subject_id` is the id of the object that it changes."""

    subject_id: str
    writes: tuple[PlannedWrite, ...] = ()

    @staticmethod
    def of(subject_id: str, *writes: PlannedWrite) -> "AppendPlan":
        """Return a plan with those of `writes` that have events."""
        return AppendPlan(subject_id, tuple(write for write in writes if write.events))

    @property
    def events(self) -> tuple[Event, ...]:
        """All events in the order in which they are recorded."""
        return tuple(event for write in self.writes for event in write.events)

    def adding(self, writes: Iterable[PlannedWrite]) -> "AppendPlan":
        """Return the plan with the events of `writes` after its own. Events of one stream stay together.

        A stream that is already in the plan keeps the version at which the plan loaded it, so that the append fails if
        the stream has changed since. Raises `WrongExpectedVersion` if `writes` expects a different version of it.
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
        """Return the plan with checks of more streams: its append also fails if one of them has another version.

        Raises `WrongExpectedVersion` if the plan expects a different version of one of these streams.
        """
        planned = {write.stream: write for write in self.writes}
        for stream, version in versions:
            _check_same_version(planned.setdefault(stream, PlannedWrite(stream, version)), version)
        return AppendPlan(self.subject_id, tuple(planned.values()))


def _check_same_version(planned: PlannedWrite, version: int) -> None:
    if version != planned.expected:
        raise WrongExpectedVersion(stream=planned.stream, expected=planned.expected, actual=version)


class StreamCategory(NamedTuple, Generic[S]):
    """Streams of one kind: the prefix of their names, the state before the first event, and the fold function.

    `evolve` returns the state after an event. It MUST ignore events of types that it does not know: features above may
    add their own events to the stream.
    """

    prefix: str
    initial: S
    evolve: Callable[[S, Any], S]

    def stream(self, id: str = "") -> str:
        """Return the name of the stream for `id`. A category with a single stream needs no id."""
        return f"{self.prefix}.{id}" if id else self.prefix

    def id_in(self, stream: str) -> str:
        """Return the id in the name of a stream of this category."""
        return stream.removeprefix(f"{self.prefix}.")


class LoadedStream(NamedTuple, Generic[S]):
    """A stream's name, version and state, and the id of the actor who recorded its first event."""

    name: str
    version: int
    state: S
    created_by: str | None

    def write(self, events: Sequence[Event]) -> PlannedWrite:
        """Return the write of `events`, which fails if the stream has changed since it was loaded."""
        return PlannedWrite(self.name, self.version, events)


class _CachedState(NamedTuple):
    loaded: LoadedStream[Any]
    evolve: Callable[[Any, Any], Any]

    def after(self, events: Iterable[Event], actor_id: str | None = None) -> "_CachedState":
        """Return the state after `events`, which `actor_id` records if the stream has no events yet."""
        name, version, state, created_by = self.loaded
        for event in events:
            version, state = version + 1, self.evolve(state, event)
        return self._replace(loaded=LoadedStream(name, version, state, created_by or actor_id))


class StateLoader:
    """A loader of stream states. It caches recently used states, and reads only the events after them."""

    has_planned_events = False
    """Whether the states contain events that are not recorded yet."""

    def __init__(self, log: EventLog, codec: Codec[Event]) -> None:
        self._log = log
        self._codec = codec
        self._cache: BoundedCache[str, _CachedState] = BoundedCache(max_entries=MAX_CACHED_STATES)
        self._clearings = 0

    def clear(self) -> None:
        """Remove every cached state: a payload in it may have been withdrawn."""
        self._cache.clear()
        self._clearings += 1

    async def load(self, category: StreamCategory[S], id: str = "") -> LoadedStream[S]:
        """Return the current state of a stream."""
        stream, clearings = category.stream(id), self._clearings
        cached = self._cache.get(stream)
        _, version, state, created_by = (
            cached.loaded if cached else LoadedStream(stream, 0, category.initial, None)
        )
        for recorded in self._codec.decode_all(await self._log.read_stream(stream, version)):
            version, state = recorded.header.stream_version, category.evolve(state, recorded.event)
            created_by = created_by or recorded.header.actor_id
        loaded = LoadedStream(stream, version, state, created_by)
        if version and clearings == self._clearings:
            self._cache.put(stream, _CachedState(loaded, category.evolve))
        return loaded

    def advance(self, write: PlannedWrite) -> None:
        """Apply the events of a write that was recorded to the cached state of its stream, if it was loaded before.

        If `evolve` fails, the state is not cached: the command has succeeded, and the next one that loads the stream fails.
        """
        cached = self._cache.get(write.stream)
        if cached is None or not write.events or cached.loaded.version != write.expected:
            return
        try:
            self._cache.put(write.stream, cached.after(write.events))
        except Exception:  # noqa: BLE001 - a third-party feature may raise any error
            self._cache.pop(write.stream)

    async def events(self, stream: str) -> list[Event]:
        """Return all events of a stream, beginning with version 1."""
        return [recorded.event for recorded in self._codec.decode_all(await self._log.read_stream(stream))]


class _PlannedStream(NamedTuple):
    """The events that are planned for a stream, its version without them, and the actor of the first one."""

    version: int
    actor_id: str
    events: list[Event]

    def check_version(self, stream: str, actual: int) -> None:
        """Raise `WrongExpectedVersion` if the events were planned on another version than the recorded one."""
        if actual != self.version:
            raise WrongExpectedVersion(stream=stream, expected=self.version, actual=actual)


class StatesAfterPlans(StateLoader):
    """A loader of the states that streams will have after the commands that were planned before in the same append.

    A state is loaded from the log once, so all commands of the append are decided on the same state.
    """

    def __init__(self, recorded: StateLoader) -> None:
        super().__init__(recorded._log, recorded._codec)
        self._recorded = recorded
        self._states: dict[str, _CachedState] = {}
        self._planned: dict[str, _PlannedStream] = {}

    def add(self, writes: Iterable[PlannedWrite], actor_id: str) -> None:
        """Add the events of a planned command, which `actor_id` records."""
        for write in writes:
            if not write.events:
                continue
            self.has_planned_events = True
            planned = self._planned.setdefault(write.stream, _PlannedStream(write.expected, actor_id, []))
            planned.events.extend(write.events)
            if (known := self._states.get(write.stream)) is not None:
                self._states[write.stream] = known.after(write.events, actor_id)

    async def load(self, category: StreamCategory[S], id: str = "") -> LoadedStream[S]:
        """Return the state of a stream after the planned events. Raises `WrongExpectedVersion` if it has changed."""
        stream = category.stream(id)
        known = self._states.get(stream)
        if known is None:
            known = _CachedState(await self._recorded.load(category, id), category.evolve)
            if (planned := self._planned.get(stream)) is not None:
                planned.check_version(stream, known.loaded.version)
                known = known.after(planned.events, planned.actor_id)
            self._states[stream] = known
        return known.loaded

    async def events(self, stream: str) -> list[Event]:
        """Return all events of a stream with the planned ones. Raises `WrongExpectedVersion` if it has changed."""
        events = await self._recorded.events(stream)
        if (planned := self._planned.get(stream)) is not None:
            planned.check_version(stream, len(events))
            events += planned.events
        return events
