"""A consistent read of the views as of one position, and the dependencies of a response that uses it.

A query of the views names its topics with `Snapshot.about`. A query that uses `Snapshot.db` depends on every event. So
a query without topics makes a response expire too early, never too late. Features declare the topics that events
invalidate: see `ledgerpress.views.cache_invalidation`.
"""

import sqlite3
import sys
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple, Protocol, TypeVar

T = TypeVar("T")

NO_POSITION: Final = 0
"""A position at which no object was created."""
END_OF_TIME: Final = 2**63
"""A time, in microseconds, later than the time of any clock."""
MAX_REMEMBERED_BYTES: Final = 32 * 2**20
"""The approximate memory of the results of one file. When it is reached, all results are forgotten."""
RECORD_BYTES: Final = 1_500
"""The approximate size of a record, such as an article, and of a result that states none, in bytes."""
_TOPIC_BYTES: Final = 200


class Topic(NamedTuple):
    """The name of something that responses depend on: a kind and a key.

    Changes to objects that are not public also invalidate an `internal` topic.
    """

    kind: str
    key: int | str
    internal: bool = False


class CacheDependencies:
    """The dependencies of one response, recorded while the response is computed.

    The response is valid until an event invalidates one of `topics`; with `everything`, until the next event. It is
    valid at times from `since` up to, but not including, `until`. It is cached only if `cacheable`.
    """

    __slots__ = ("cacheable", "everything", "since", "topics", "until")

    def __init__(self) -> None:
        self.topics: set[Topic] = set()
        self.everything = False
        self.since = -END_OF_TIME
        self.until = END_OF_TIME
        self.cacheable = True

    @property
    def internal(self) -> bool:
        """Whether a change to an object that is not public may invalidate the response."""
        return any(topic.internal for topic in self.topics)

    def within(self, *, since: int = -END_OF_TIME, until: int = END_OF_TIME) -> None:
        """Record that the response is valid only at times from `since` up to, but not including, `until`.

        Both are in microseconds since 1970, UTC.
        """
        self.since = max(self.since, since)
        self.until = min(self.until, until)

    def add(self, others: "CacheDependencies") -> None:
        """Record the dependencies of a part of the response."""
        self.topics |= others.topics
        self.everything = self.everything or others.everything
        self.cacheable = self.cacheable and others.cacheable
        if others.since != -END_OF_TIME or others.until != END_OF_TIME:
            self.within(since=others.since, until=others.until)

    def never_cache(self) -> None:
        """Record that the response cannot be cached: it is for one client, or no topic covers what it depends on."""
        self.cacheable = False


class _RememberedRead(NamedTuple):
    """A result, and what a response that contains it depends on."""

    value: Any
    reads: CacheDependencies


class RememberedReads:
    """The results of reads from one state of the views, as of its position. They may contain payloads.

    Until another connection commits, in this process or another, all snapshots of one connection show the same state. So
    a result that depends on nothing else is read once.
    """

    __slots__ = ("_entries", "bytes", "max_bytes", "position")

    def __init__(self, position: int, max_bytes: int = MAX_REMEMBERED_BYTES) -> None:
        self.position = position
        self.max_bytes = max_bytes
        self._entries: dict[Hashable, _RememberedRead] = {}
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable) -> _RememberedRead | None:
        return self._entries.get(key)

    def put(self, key: Hashable, value: object, reads: CacheDependencies, size: int = RECORD_BYTES) -> None:
        # A client may have sent the key: a slug in a request is as long as the client likes.
        size += sys.getsizeof(key) + _TOPIC_BYTES * len(reads.topics)
        if isinstance(key, tuple):
            size += sum(map(sys.getsizeof, key))
        if self.bytes + size > self.max_bytes:
            self.clear()
        if size <= self.max_bytes:
            self._entries[key] = _RememberedRead(value, reads)
            self.bytes += size

    def clear(self) -> None:
        self._entries.clear()
        self.bytes = 0

    def end(self) -> None:
        """Forget everything, and remember nothing from now on, even if a snapshot is still open or referenced."""
        self.max_bytes = 0
        self.clear()


class ItemFilter(Protocol):
    """A filter for the listed items that queries return. Items are identified by the position of their creation."""

    def among(self, items: Iterable[int]) -> set[int]:
        """Return the items that pass the filter."""
        ...

    def count_hidden(self, ks: Iterable[int], position: int) -> int:
        """Return how many items in the listings `ks` as of `position` do not pass; each item counts once."""
        ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The views as of one position: everything read from a snapshot is as of that position.

    `connection` is inside a read transaction. `position` is not beyond the checkpoint of any projection. With `only`,
    queries return and count only items that pass this filter. With `reads`, queries record their dependencies there.
    `remembered` are the results of earlier reads from the same state of the views.
    """

    connection: sqlite3.Connection
    position: int
    only: ItemFilter | None = None
    reads: CacheDependencies | None = None
    remembered: RememberedReads | None = None

    def once(
        self, key: Hashable, read: "Callable[[Snapshot], T]", size_of: Callable[[T], int] | None = None
    ) -> T:
        """Return `read(self)`, and remember the result until any process changes the views.

        The result MUST depend on nothing but the key and the snapshot, and MUST NOT be changed, or refer to the snapshot.
        It MUST NOT depend on the viewer or the clock. All features share one memory, so the key MUST name what is read. It
        is not remembered for another position than that of the views, or with a filter. `size_of` returns its approximate
        size in bytes.
        """
        remembered = self.remembered
        if remembered is None or remembered.position != self.position or self.only is not None:
            return read(self)
        entry = remembered.get(key)
        if entry is not None:
            value: T = entry.value
            reads = entry.reads
        else:
            reads = CacheDependencies()
            value = read(Snapshot(self.connection, self.position, None, reads, remembered))
            remembered.put(key, value, reads, *(() if size_of is None else (size_of(value),)))
        if self.reads is not None:
            self.reads.add(reads)
        return value

    @property
    def db(self) -> sqlite3.Connection:
        """The connection, for a query whose result any event may change."""
        self.depends_on_position()
        return self.connection

    def about(self, *topics: Topic) -> sqlite3.Connection:
        """Return the connection, for a query whose result changes only if an event invalidates one of `topics`."""
        if self.reads is not None:
            self.reads.topics.update(topics)
        return self.connection

    def depends_on_position(self) -> None:
        """Record that any event may change the result, for example if the result contains the position itself."""
        if self.reads is not None:
            self.reads.everything = True

    def at(self, position: int, only: ItemFilter | None = None) -> "Snapshot":
        """Return a snapshot as of another position.

        For an earlier position, the new snapshot records no dependencies: the past never changes.
        """
        reads = self.reads if position >= self.position else None
        return replace(self, position=position, only=only or self.only, reads=reads)


@dataclass(frozen=True, slots=True, eq=False)
class ViewsVersion:
    """The position and the generation of views. Rebuilt views have another `generation`, even in the same file.

    `is_settled` means that every projection has reached `position`, and none is paused.
    """

    position: int
    generation: Hashable
    is_settled: bool
