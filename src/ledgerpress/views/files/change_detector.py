"""Detects changes of a views file by any process, without reading its rows."""

import sqlite3
from collections.abc import Callable
from typing import Final

from ledgerpress.views.snapshot_and_cache_dependencies import ViewsVersion

_VIEWS_VERSION: Final = """
    SELECT min(position), min(position) = max(position) AND count(error) = 0, (SELECT began_at FROM views) FROM projection
"""


class ChangeDetector:
    """Detects changes of the views: reads SQLite's data version with its own connection, on the caller's thread.

    The data version changes with every commit of another connection, in this process or another, and only then
    (https://sqlite.org/pragma.html#pragma_data_version).
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        failed: Callable[[sqlite3.Error], None] = lambda _: None,
    ) -> None:
        """`connect` opens a connection for reading; `failed` is called if it cannot be opened or read."""
        self._connect = connect
        self._failed = failed
        self._db: sqlite3.Connection | None = None
        self._ask: Callable[[str], sqlite3.Cursor]
        self._data_version: int | None = None
        self._views_version = unknown_version()

    def read(self) -> ViewsVersion:
        """Return the version of the views: the same object until they change.

        If the views cannot be read, they count as not settled.
        """
        try:
            if self._db is None:
                self._db = self._connect()
                self._ask = self._db.cursor().execute
                self._data_version = None
            (version,) = self._ask("PRAGMA data_version").fetchone()
            if version != self._data_version:
                # A commit between the two statements is included now, and detected again by the next read.
                ((position, is_settled, began_at),) = self._db.execute(_VIEWS_VERSION).fetchall()
                self._views_version = ViewsVersion(position, (self, began_at), bool(is_settled))
                self._data_version = version
        except sqlite3.Error as error:
            self.close()
            self._failed(error)
        return self._views_version

    def close(self) -> None:
        """Close the connection; the next read opens another."""
        if self._db is not None:
            self._db.close()
            self._db = None
        self._views_version = unknown_version()


def unknown_version() -> ViewsVersion:
    """Return the version of views that cannot be read: they are not settled."""
    return ViewsVersion(0, None, is_settled=False)
