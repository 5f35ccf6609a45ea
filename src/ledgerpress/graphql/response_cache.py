"""The response cache: results in bounded memory, each until something that it depends on changes.

Whether anything has changed is checked for each request, and so exactly (`ViewsVersion`). When the position has moved,
the topics of the new events are recorded; a cached result is compared with them when it is requested again.
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
    FOREVER,
    CacheDependencies,
    Snapshot,
    Topic,
    ViewsVersion,
)

MAX_TOPICS: Final = 50_000
"""After so many topics, results that were not requested since count as changed."""
Invalidation: TypeAlias = Callable[[Snapshot, int, DeclaredViews], frozenset[Topic] | None]
"""Returns the topics of the events after a position, up to that of the snapshot; `None` for all topics."""
_ATTEMPTS: Final = 3
_ENTRY_BYTES: Final = 600
_TOPIC_BYTES: Final = 200
"""What an entry and a topic take in addition to their texts, roughly."""


class CacheableStore(Store, Protocol):
    @property
    def caches(self) -> list[Callable[[], None]]:
        """Functions that clear a cache. They are called after a withdrawal, and when other views are in use."""

    def last_withdrawal(self, snapshot: Snapshot) -> int:
        """Return the position of the last withdrawal of a payload: older responses may contain it."""

    def views_version(self) -> ViewsVersion:
        """Return the version of the views: the same object until some process changes anything."""


@dataclass(slots=True)
class _Entry:
    """A cached result, compared with all changes up to `checked`. `topics` of `None` means that any event changes it."""

    result: EncodedResult
    topics: frozenset[Topic] | None
    since: int
    until: int
    checked: int
    bytes: int


class _TopicChanges:
    """When topics last changed: exactly for the most recent ones; earlier changes are unknown."""

    def __init__(self) -> None:
        self._recent: dict[Topic, int] = {}
        self._former: dict[Topic, int] = {}
        self._recent_from = 0
        self._known_from = 0

    def add(self, topics: frozenset[Topic], *, after: int, up_to: int) -> None:
        """Record that the topics changed after the position `after`, and not after `up_to`."""
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
    """The results of one store, by key. It MUST be cleared when a payload is withdrawn."""

    def __init__(self, max_bytes: int, invalidation: Invalidation = invalidated_topics) -> None:
        self.epoch = 0
        """Increases with each `clear`: a result that was requested before is not cached after."""
        self._invalidation = invalidation
        self._entries = BoundedCache[Hashable, _Entry](
            max_bytes=max_bytes, size_of=lambda _, entry: entry.bytes
        )
        self._version: ViewsVersion | None = None
        self.position = 0
        """The position at which cached results are known to be true."""
        self._changes = _TopicChanges()

    @property
    def bytes(self) -> int:
        """The size of all entries, roughly."""
        return self._entries.bytes

    def clear(self) -> None:
        self.epoch += 1
        self._entries.clear()
        self._changes = _TopicChanges()

    def catch_up(self, store: CacheableStore) -> bool:
        """Record what has changed up to now. Return whether results may be cached and served at all."""
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
                    # The file in use may have been lost, and another one opened.
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
        """Return a cached result that is true now. `catch_up` MUST have been called, without an await since."""
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
            entry.until != FOREVER or entry.since != -FOREVER
        ) and not entry.since <= clock.now() < entry.until:
            self._entries.pop(key)
            return None
        return entry.result

    def put(self, key: Hashable, result: EncodedResult, reads: CacheDependencies, key_bytes: int) -> None:
        """Cache a result that was read at `result.position`, if it is not too large."""
        if result.position > self.position:
            return
        topics = None if reads.everything else frozenset(reads.topics)
        size = len(result.body) + key_bytes + _ENTRY_BYTES + _TOPIC_BYTES * len(topics or ())
        self._entries.put(key, _Entry(result, topics, reads.since, reads.until, result.position, size))
