"""Positions between which a row is true, and the snapshot that a query reads."""

import sqlite3
from dataclasses import dataclass
from typing import Final

from ledgerpress.readmodels.public_today import PublicToday

OPEN: Final = 2**53 - 1
"""The `to_pos` of a row that is still true. A row is true at P when `from_pos <= P < to_pos`."""

NOWHERE: Final = 0
"""A position at which nothing was ever created."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The views as of one position: every answer read from it is of that one moment.

    `db` is inside a read transaction; `position` is at most the checkpoint of every projection. Where `only` is given,
    answers show, and count, none but its articles.
    """

    db: sqlite3.Connection
    position: int
    only: PublicToday | None = None
