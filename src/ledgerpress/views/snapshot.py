"""A consistent read of the views, as of one position."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from ledgerpress.views.cache_dependencies import CacheDependencies, Topic

NO_POSITION: Final = 0
"""A position at which nothing was created."""


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
