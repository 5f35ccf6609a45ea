"""The response cache: results in bounded memory. Each is valid until something that it depends on changes.

Each request checks exactly whether anything has changed (`ViewsVersion`). If there are new events, their topics are
recorded. When a cached result is requested again, its own topics are compared with the recorded ones.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeAlias

from ledgerpress.bounded_cache import BoundedCache
from ledgerpress.eventlog.clock_randomness_ids import Clock
from ledgerpress.graphql.context import Store
from ledgerpress.graphql.results import EncodedResult
from ledgerpress.views.cache_invalidation import invalidated_topics
from ledgerpress.views.feature_declarations import DeclaredViews
from ledgerpress.views.snapshot_and_cache_dependencies import (
    END_OF_TIME,
    CacheDependencies,
    Snapshot,
    Topic,
    ViewsVersion,
)

MAX_TOPICS: Final = 50_000
"""Maximum number of topics whose changes are recorded. Results last requested before these changes count as changed."""
Invalidation: TypeAlias = Callable[[Snapshot, int, DeclaredViews], frozenset[Topic] | None]
"""Returns the topics of the events after a position, up to the snapshot's position; `None` for all topics."""
_ATTEMPTS: Final = 3
_ENTRY_BYTES: Final = 600
_TOPIC_BYTES: Final = 200
"""The approximate size of an entry and of a topic in addition to their texts, in bytes."""


class CacheableStore(Store, Protocol):
    @property
    def caches(self) -> list[Callable[[], None]]:
        """Functions that clear a cache. They are called after a withdrawal, and after a switch to other views."""

    def views_version(self) -> ViewsVersion:
        """Return the version of the views: the same object until any process changes anything."""


@dataclass(slots=True)
class _Entry:
    """A cached result, valid at the position `checked`. If `topics` is `None`, any event may change the result."""

    result: EncodedResult
    topics: frozenset[Topic] | None
    since: int
    until: int
    checked: int
    bytes: int


class _TopicChanges:
    """The position at which each topic last changed: exact for recent changes; earlier changes are unknown."""

    def __init__(self) -> None:
        self._recent: dict[Topic, int] = {}
        self._former: dict[Topic, int] = {}
        self._recent_from = 0
        self._known_from = 0

    def add(self, topics: frozenset[Topic], *, after: int, up_to: int) -> None:
        """Record that the topics changed after the position `after`, and no later than at `up_to`."""
        if len(self._recent) + len(topics) > MAX_TOPICS // 2:
            self._former, self._known_from = self._recent, self._recent_from
            self._recent, self._recent_from = {}, after
        self._recent.update(dict.fromkeys(topics, up_to))

    def none_of(self, topics: frozenset[Topic], *, since: int) -> bool:
        """Return whether it is certain that none of the topics changed after the position `since`."""
        if since < self._known_from:
            return False
        recent, former = self._recent, self._former
        return not any(recent.get(topic, 0) > since or former.get(topic, 0) > since for topic in topics)


class ResponseCache:
    """The cached results of one store, by key. It MUST be cleared when a payload is withdrawn."""

    def __init__(self, max_bytes: int, invalidation: Invalidation = invalidated_topics) -> None:
        self.epoch = 0
        """Increases with each `clear`. A result that was requested in an earlier epoch is not cached."""
        self._invalidation = invalidation
        self._entries = BoundedCache[Hashable, _Entry](
            max_bytes=max_bytes, size_of=lambda _, entry: entry.bytes
        )
        self._version: ViewsVersion | None = None
        self.position = 0
        """The position at which cached results are known to be valid."""
        self._changes = _TopicChanges()

    @property
    def bytes(self) -> int:
        """The approximate size of all entries."""
        return self._entries.bytes

    def clear(self) -> None:
        self.epoch += 1
        self._entries.clear()
        self._changes = _TopicChanges()

    def catch_up(self, store: CacheableStore) -> bool:
        """Record all changes up to now. Return whether results may be cached and served at all."""
        version = store.views_version()
        for _ in range(_ATTEMPTS):
            before = self._version
            if version is before:
                return version.is_settled
            if (
                before is None
                or not (before.is_settled and version.is_settled)
                or before.generation != version.generation
                or before.position > version.position
            ):
                break
            if before.position < version.position:
                with store.snapshot() as snapshot:
                    topics = self._invalidation(snapshot, self.position, store.declared)
                    # The process may have lost the views file and opened another one.
                    is_other = snapshot.position != version.position
                latest = store.views_version()
                if latest is not version:
                    version = latest
                    continue
                if topics is None or is_other:
                    break
                self._changes.add(topics, after=self.position, up_to=version.position)
            self._version, self.position = version, version.position
            return True
        self.clear()
        self._version, self.position = version, version.position
        return version.is_settled

    def get(self, key: Hashable, clock: Clock) -> EncodedResult | None:
        """Return a cached result that is valid now. Callers MUST call `catch_up` before, with no await in between."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.checked != self.position:
            if entry.topics is None or not self._changes.none_of(entry.topics, since=entry.checked):
                self._entries.pop(key)
                return None
            entry.checked = self.position
            entry.result = replace(entry.result, position=self.position)
        if (
            entry.until != END_OF_TIME or entry.since != -END_OF_TIME
        ) and not entry.since <= clock.now() < entry.until:
            self._entries.pop(key)
            return None
        return entry.result

    def put(self, key: Hashable, result: EncodedResult, reads: CacheDependencies, key_bytes: int) -> None:
        """Cache a result that was read at `result.position`, unless it is too large."""
        if result.position > self.position:
            return
        topics = None if reads.everything else frozenset(reads.topics)
        size = len(result.body) + key_bytes + _ENTRY_BYTES + _TOPIC_BYTES * len(topics or ())
        self._entries.put(key, _Entry(result, topics, reads.since, reads.until, result.position, size))
