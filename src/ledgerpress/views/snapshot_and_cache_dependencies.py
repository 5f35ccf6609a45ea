"""A consistent read of the views as of one position, and what a response that uses it depends on.

A query of the views names its topics with `Snapshot.about`. A query that uses `Snapshot.db` depends on every event: a topic
that was forgotten makes a response expire too early, never too late. Features declare the topics that events invalidate: see
`ledgerpress.views.cache_invalidation`.
"""

import sqlite3
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, Protocol

NO_POSITION: Final = 0
"""A position at which nothing was created."""
FOREVER: Final = 2**63
"""A time after every clock's, in microseconds."""


class Topic(NamedTuple):
    """A subject of queries: what kind, and which. Changes of what is not public invalidate an `internal` topic, too."""

    kind: str
    key: int | str
    internal: bool = False


class CacheDependencies:
    """What one response depends on, noted while it is computed.

    The response is valid until an event invalidates one of `topics`; with `everything`, until the next event. It is
    valid for clocks from `since` up to, and not including, `until`. It is cached only if `cacheable`.
    """

    __slots__ = ("cacheable", "everything", "since", "topics", "until")

    def __init__(self) -> None:
        self.topics: set[Topic] = set()
        self.everything = False
        self.since = -FOREVER
        self.until = FOREVER
        self.cacheable = True

    @property
    def internal(self) -> bool:
        """Whether a change of what is not public may invalidate the response."""
        return any(topic.internal for topic in self.topics)

    def within(self, *, since: int = -FOREVER, until: int = FOREVER) -> None:
        """Note that the response is valid for clocks from `since` until before `until`, in microseconds since 1970, UTC."""
        self.since = max(self.since, since)
        self.until = min(self.until, until)

    def never_cache(self) -> None:
        """Note that the response must not be cached: it is for one client, or depends on what no topic covers."""
        self.cacheable = False


class ItemFilter(Protocol):
    """The listed items that queries return. Items are named by the positions of their creation."""

    def among(self, items: Iterable[int]) -> set[int]:
        """Return which of the items are returned."""
        ...

    def count_hidden(self, ks: Iterable[int], position: int) -> int:
        """Return how many items of the listings `ks` together, as of `position`, are not returned."""
        ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The views as of one position: everything that is read from a snapshot is as of the same position.

    `connection` is inside a read transaction; `position` is at most the checkpoint of every projection. With `only`,
    queries return, and count, only its items. With `reads`, queries note there what they depend on.
    """

    connection: sqlite3.Connection
    position: int
    only: ItemFilter | None = None
    reads: CacheDependencies | None = None

    @property
    def db(self) -> sqlite3.Connection:
        """The connection, for a query whose result any event may change."""
        self.depends_on_position()
        return self.connection

    def about(self, *topics: Topic) -> sqlite3.Connection:
        """Return the connection, for a query whose result changes only with events that invalidate one of `topics`."""
        if self.reads is not None:
            self.reads.topics.update(topics)
        return self.connection

    def depends_on_position(self) -> None:
        """Note that any event may change the result, as where it contains the position itself."""
        if self.reads is not None:
            self.reads.everything = True

    def at(self, position: int, only: ItemFilter | None = None) -> "Snapshot":
        """Return the views as of another position. What was true before this snapshot's own position never changes."""
        reads = self.reads if position >= self.position else None
        return replace(self, position=position, only=only or self.only, reads=reads)


@dataclass(frozen=True, slots=True, eq=False)
class ViewsVersion:
    """How far views have come. Rebuilt views, even in the same file, have another `generation`.

    `is_settled` means that every projection has reached `position`, and none is paused.
    """

    position: int
    generation: Hashable
    is_settled: bool
