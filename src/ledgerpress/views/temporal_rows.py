"""Rows that are true from one position to another, as one transaction comes by them."""

import sqlite3
from typing import Any, Final

from ledgerpress.views.projection.projector import write_all
from ledgerpress.views.snapshot import OPEN

_READ: Final = "SELECT {columns} FROM {table} WHERE {key} AND to_pos = {open}"
_WRITE: Final = "INSERT OR REPLACE INTO {table} ({columns}) VALUES ({places})"


class TemporalTable:
    """A table of which each key has at most one row that is open: true from its position to no end so far."""

    def __init__(self, name: str, columns: str, *, key: str) -> None:
        """Take its name, its columns, and those of them that make the key; a row's own key is that and `from_pos`."""
        names, parts = columns.split(", "), key.split(", ")
        self.to_pos = names.index("to_pos")
        self.key = [names.index(part) for part in parts]
        self.read = _READ.format(
            columns=columns, table=name, key=" AND ".join(f"{part} = ?" for part in parts), open=OPEN
        )
        self.write = _WRITE.format(columns=columns, table=name, places=", ".join("?" for _ in names))


class TemporalRows:
    """The rows of such a table, as one transaction comes by them.

    A key's open row is read when it is first asked for; what has changed is written in `flush`. Rows are lists of the
    values of the columns, and may be changed in place once they have been given to `put`.
    """

    def __init__(self, db: sqlite3.Connection, table: TemporalTable) -> None:
        self._db = db
        self._table = table
        self._open: dict[tuple[Any, ...], list[Any] | None] = {}
        self._changed: dict[int, list[Any]] = {}
        self._new: set[Any] = set()

    def begin(self, first: Any) -> None:
        """Take note that there is no row yet of any key with this first part."""
        self._new.add(first)

    def find(self, *key: Any) -> list[Any] | None:
        """Return the open row of the key."""
        try:
            return self._open[key]
        except KeyError:
            if key[0] in self._new:
                return None
            found = self._db.execute(self._table.read, key).fetchone()
            row = self._open[key] = None if found is None else list(found)
            return row

    def put(self, row: list[Any]) -> None:
        """Keep a row that is new or will be changed: the open one of its key."""
        self._open[tuple([row[place] for place in self._table.key])] = row
        self._changed[id(row)] = row

    def close(self, position: int, *key: Any) -> None:
        """End the open row of the key at `position`, where there is one."""
        row = self.find(*key)
        if row is not None:
            row[self._table.to_pos] = position
            self._open[key] = None
            self._changed[id(row)] = row

    def flush(self) -> None:
        """Write what has changed."""
        write_all(self._db, self._table.write, self._changed.values())
