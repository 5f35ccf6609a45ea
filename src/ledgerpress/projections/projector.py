"""What a projector is: pure code that turns one event into changes of its own tables."""

import sqlite3
from typing import Protocol

from ledgerpress.domain.event import Event
from ledgerpress.eventlog.codec import Recorded


class Projector(Protocol):
    """Turns events into rows of tables that no other projector touches.

    It MUST depend on nothing but the event and its own rows, so that a rebuild gives the same rows; it MUST
    accept every event of the catalogue; it MUST NOT begin or end a transaction.
    """

    @property
    def name(self) -> str:
        """The projection's name, for operators."""
        ...

    @property
    def version(self) -> int:
        """Raised with every change to the tables or to what is written into them."""
        ...

    @property
    def schema(self) -> str:
        """The SQL that creates the tables."""
        ...

    @property
    def indexes(self) -> str:
        """The SQL that creates the indexes which only readers use: in a rebuild they are made last."""
        ...

    def apply(self, recorded: Recorded[Event], db: sqlite3.Connection) -> None:
        """Write what the event changes. It is called once for each event, in order of position."""
        ...
