"""Positions between which a row is true, and the snapshot that a query reads."""

import sqlite3
from dataclasses import dataclass, replace
from typing import Final

from ledgerpress.views.cache_dependencies import CacheDependencies, Topic
from ledgerpress.views.public_filter import PublicFilter

OPEN: Final = 2**53 - 1
"""The `to_pos` of a row that is still true. A row is true at P when `from_pos <= P < to_pos`."""

NO_POSITION: Final = 0
"""A position at which nothing was ever created."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The views as of one position: every answer read from it is of that one moment.

    `connection` is inside a read transaction; `position` is at most the checkpoint of every projection. Where `only` is
    given, answers show, and count, none but its articles. Where `reads` is given, queries note there what they depend on.
    """

    connection: sqlite3.Connection
    position: int
    only: PublicFilter | None = None
    reads: CacheDependencies | None = None

    @property
    def db(self) -> sqlite3.Connection:
        """The connection, for a query that any event may change."""
        self.depends_on_position()
        return self.connection

    def about(self, *topics: Topic) -> sqlite3.Connection:
        """Return the connection, for a query that only events which touch one of `topics` change."""
        if self.reads is not None:
            self.reads.topics.update(topics)
        return self.connection

    def depends_on_position(self) -> None:
        """Note that any event may change the answer, as where it tells the position itself."""
        if self.reads is not None:
            self.reads.everything = True

    def at(self, position: int, only: PublicFilter | None = None) -> "Snapshot":
        """Return the views as of another position. What was true before this snapshot's own never changes."""
        reads = self.reads if position >= self.position else None
        return replace(self, position=position, only=only or self.only, reads=reads)
