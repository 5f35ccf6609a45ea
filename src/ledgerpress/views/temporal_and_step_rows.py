"""Writers of temporal rows, which are valid from one position to another, and of step rows.

A step row contains a value that is valid from the row's position to the position of the next row.
"""

import sqlite3
from typing import Any, Final

from ledgerpress.views.projection.projector_interface_and_composition import write_all

OPEN: Final = 2**53 - 1
"""The `to_pos` of a row that is still valid. A row is valid at position P if `from_pos <= P < to_pos`."""

_READ: Final = "SELECT {columns} FROM {table} WHERE {key} AND to_pos = {open}"
_WRITE: Final = "INSERT OR REPLACE INTO {table} ({columns}) VALUES ({places})"


class TemporalTable:
    """A table in which each key has at most one open row: a row that is valid from its position and has no end yet."""

    def __init__(self, name: str, columns: str, *, key: str) -> None:
        """`columns` and `key` are column names, separated by ", ". The primary key is `key` and `from_pos`."""
        names, parts = columns.split(", "), key.split(", ")
        self.to_pos = names.index("to_pos")
        self.key = [names.index(part) for part in parts]
        self.read = _READ.format(
            columns=columns, table=name, key=" AND ".join(f"{part} = ?" for part in parts), open=OPEN
        )
        self.write = _WRITE.format(columns=columns, table=name, places=", ".join("?" for _ in names))


class TemporalRows:
    """The rows of a temporal table in one transaction.

    The open row of a key is read once; `flush` writes the changes. A row is a list of column values, and may be changed
    in place after `put`.
    """

    def __init__(self, db: sqlite3.Connection, table: TemporalTable) -> None:
        self._db = db
        self._table = table
        self._open: dict[tuple[Any, ...], list[Any] | None] = {}
        self._changed: dict[int, list[Any]] = {}
        self._new: set[Any] = set()

    def begin(self, first: Any) -> None:
        """Record that no key whose first part is `first` has a row yet."""
        self._new.add(first)

    def find(self, *key: Any) -> list[Any] | None:
        """Return the open row of the key; `None` if it has none."""
        try:
            return self._open[key]
        except KeyError:
            if key[0] in self._new:
                return None
            values = self._db.execute(self._table.read, key).fetchone()
            row = self._open[key] = None if values is None else list(values)
            return row

    def put(self, row: list[Any]) -> None:
        """Add a row as the open row of its key, or mark the open row as changed."""
        self._open[tuple([row[place] for place in self._table.key])] = row
        self._changed[id(row)] = row

    def close(self, position: int, *key: Any) -> None:
        """End the open row of the key at `position`, if there is one."""
        row = self.find(*key)
        if row is not None:
            row[self._table.to_pos] = position
            self._open[key] = None
            self._changed[id(row)] = row

    def flush(self) -> None:
        write_all(self._db, self._table.write, self._changed.values())


class StepTable:
    """A table of step rows. Each listing has step rows of its own."""

    def __init__(self, name: str, value: str, *, initial: int | None) -> None:
        """`value` is the column with the value; `initial` is the value before the first step."""
        self.initial = initial
        self.insert = f"INSERT INTO {name} VALUES (?, ?, ?)"  # noqa: S608
        self.delete = f"DELETE FROM {name} WHERE k = ? AND pos = ?"  # noqa: S608
        self.before = f"SELECT {value} FROM {name} WHERE k = ? AND pos < ? ORDER BY pos DESC LIMIT 1"  # noqa: S608


class StepRows:
    """The step rows that one transaction adds to a table."""

    def __init__(self, db: sqlite3.Connection, table: StepTable) -> None:
        self._db = db
        self._table = table
        self._steps: list[tuple[int, int, int | None]] = []

    def add(self, k: int, position: int, value: int | None) -> None:
        """Add a step of listing `k` at `position`, which must be after all other steps of the listing."""
        self._steps.append((k, position, value))

    def before(self, k: int, position: int) -> int | None:
        """Return the value before `position`, from the steps that earlier transactions have written."""
        row = self._db.execute(self._table.before, (k, position)).fetchone()
        return self._table.initial if row is None else row[0]

    def remove(self, k: int, position: int) -> None:
        """Delete the step at `position`, if an earlier transaction wrote one."""
        self._db.execute(self._table.delete, (k, position))

    def flush(self) -> None:
        write_all(self._db, self._table.insert, self._steps)
