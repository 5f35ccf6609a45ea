"""Ready answers, kept in bounded memory, each for as long as nothing that it depends on has changed.

Whether anything has changed is looked up for each request, and so exactly: see `ViewsVersion`. What events touched is worked
out when the position has moved, and held against what the answers depend on when they are asked for again.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeAlias

from ledgerpress.eventlog.clock import Clock
from ledgerpress.graphql.context import Store
from ledgerpress.views.cache_dependencies import FOREVER, CacheDependencies, Topic
from ledgerpress.views.cache_invalidation import invalidated_topics
from ledgerpress.views.declarations import DeclaredViews
from ledgerpress.views.snapshot import Snapshot
from ledgerpress.views.views_version import ViewsVersion

REMEMBERED: Final = 50_000
"""After so many topics were touched, answers that were not asked for since count as touched, too."""
Invalidation: TypeAlias = Callable[[Snapshot, int, DeclaredViews], frozenset[Topic] | None]
_LOOKS: Final = 3
_ENTRY_BYTES: Final = 600
_TOPIC_BYTES: Final = 200
"""What an entry and a topic take beside their texts, roughly."""


class CacheableStore(Store, Protocol):
    """A store that reports the version of its views."""

    @property
    def caches(self) -> list[Callable[[], None]]:
        """Functions that clear a cache. They are called after a withdrawal, and when other views are in use."""
        ...

    def views_version(self) -> ViewsVersion:
        """Return how far the views have come: the same object as long as nobody, in any process, changes anything."""
        ...


@dataclass(frozen=True, slots=True)
class EncodedResponse:
    """An answer as bytes, true at `position`. Without an event it stays true until the clock tells `expires_at`.

    That is in microseconds since 1970, UTC; `None` where it does not depend on the clock. `etag` is an entity tag
    (RFC 9110, 8.8.3), which only what was executed and may be kept has.
    """

    body: bytes
    position: int
    executed: bool
    etag: str | None = None
    expires_at: int | None = None


@dataclass(slots=True)
class _Entry:
    """A kept answer. It was held against all that was touched up to `checked`; no topics stand for everything."""

    ready: EncodedResponse
    topics: frozenset[Topic] | None
    since: int
    until: int
    checked: int
    bytes: int


class _TopicChanges:
    """When topics were last touched: of so many, and of what was touched before only that nobody knows any more."""

    def __init__(self) -> None:
        self._recent: dict[Topic, int] = {}
        self._former: dict[Topic, int] = {}
        self._recent_from = 0
        self._known_from = 0

    def mark(self, topics: frozenset[Topic], *, after: int, up_to: int) -> None:
        """Take note that the topics were touched after the one position, and not after the other."""
        if len(self._recent) + len(topics) > REMEMBERED // 2:
            self._former, self._known_from = self._recent, self._recent_from
            self._recent, self._recent_from = {}, after
        self._recent.update(dict.fromkeys(topics, up_to))

    def none_of(self, topics: frozenset[Topic], *, since: int) -> bool:
        """Return whether it is known that none of the topics was touched after the position `since`."""
        if since < self._known_from:
            return False
        recent, former = self._recent, self._former
        return not any(recent.get(topic, 0) > since or former.get(topic, 0) > since for topic in topics)


class ResponseCache:
    """Answers of one store by their keys; what was not asked for longest goes first. `bytes` is what they take."""

    def __init__(self, max_bytes: int, touching: Invalidation = invalidated_topics) -> None:
        """Take how many bytes it may take, and what tells which topics events have touched."""
        self.bytes = 0
        self.epoch = 0
        """Raised with each `forget`: an answer that was begun before is not kept after."""
        self._max_bytes = max_bytes
        self._touching = touching
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._version: ViewsVersion | None = None
        self._position = 0
        self._touched = _TopicChanges()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def position(self) -> int:
        """The position as of which answers are held to be true."""
        return self._position

    def forget(self) -> None:
        """Drop everything."""
        self.epoch += 1
        self.bytes = 0
        self._entries.clear()
        self._touched = _TopicChanges()

    def catch_up(self, store: CacheableStore) -> bool:
        """Take note of what has changed up to this moment; return whether answers may be kept and given at all."""
        version = store.views_version()
        for _ in range(_LOOKS):
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
                    found = self._touching(snapshot, self._position, store.declared)
                    # Another file where that in use has just been lost.
                    is_other = snapshot.position != version.position
                again = store.views_version()
                if again is not version:
                    version = again
                    continue
                if found is None or is_other:
                    break
                self._touched.mark(found, after=self._position, up_to=version.position)
            self._version, self._position = version, version.position
            return True
        self.forget()
        self._version, self._position = version, version.position
        return version.is_settled

    def find(self, key: Hashable, clock: Clock) -> EncodedResponse | None:
        """Return a kept answer that is true at this moment. `catch_up` MUST have been called without an await since."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.checked != self._position:
            if not self._is_untouched(entry):
                self._drop(key)
                return None
            entry.checked = self._position
            entry.ready = replace(entry.ready, position=self._position)
        if (
            entry.until != FOREVER or entry.since != -FOREVER
        ) and not entry.since <= clock.now() < entry.until:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry.ready

    def keep(self, key: Hashable, ready: EncodedResponse, reads: CacheDependencies, key_bytes: int) -> None:
        """Keep an answer that was read at `ready.position`, if it is not too large."""
        topics = None if reads.everything else frozenset(reads.topics)
        size = len(ready.body) + key_bytes + _ENTRY_BYTES + _TOPIC_BYTES * len(topics or ())
        if size > self._max_bytes // 4 or ready.position > self._position:
            return
        if key in self._entries:
            self._drop(key)
        self._entries[key] = _Entry(ready, topics, reads.since, reads.until, ready.position, size)
        self.bytes += size
        while self.bytes > self._max_bytes:
            self._drop(next(iter(self._entries)))

    def _is_untouched(self, entry: _Entry) -> bool:
        return entry.topics is not None and self._touched.none_of(entry.topics, since=entry.checked)

    def _drop(self, key: Hashable) -> None:
        self.bytes -= self._entries.pop(key).bytes
