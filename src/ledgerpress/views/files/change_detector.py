"""Detects in about a microsecond whether any process has committed a change to a views file."""

import sqlite3
from collections.abc import Callable
from typing import Final

from ledgerpress.views.views_version import ViewsVersion

_VIEWS_VERSION: Final = """
    SELECT min(position), min(position) = max(position) AND count(error) = 0, (SELECT began_at FROM views) FROM projection
"""


class ChangeDetector:
    """A connection of its own, on the caller's thread, which asks for SQLite's data version.

    That changes with every commit of another connection, in this process or another one, and never without
    (https://sqlite.org/pragma.html#pragma_data_version).
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        """Take what opens a connection that only reads."""
        self._connect = connect
        self._db: sqlite3.Connection | None = None
        self._ask: Callable[[str], sqlite3.Cursor]
        self._data_version: int | None = None
        self._views_version = _unknown()

    def read(self) -> ViewsVersion:
        """Return how far the views have come: the same object as long as nothing has changed.

        They count as not settled where they cannot be read.
        """
        try:
            if self._db is None:
                self._db = self._connect()
                self._ask = self._db.cursor().execute
                self._data_version = None
            (version,) = self._ask("PRAGMA data_version").fetchone()
            if version != self._data_version:
                # A commit between the two statements is seen now, and once more with the next version.
                ((position, is_settled, began_at),) = self._db.execute(_VIEWS_VERSION).fetchall()
                self._views_version = ViewsVersion(position, (self, began_at), bool(is_settled))
                self._data_version = version
        except sqlite3.Error:
            self.close()
        return self._views_version

    def close(self) -> None:
        """Close the connection; the next read opens another."""
        if self._db is not None:
            self._db.close()
            self._db = None
        self._views_version = _unknown()


def _unknown() -> ViewsVersion:
    return ViewsVersion(0, None, is_settled=False)
