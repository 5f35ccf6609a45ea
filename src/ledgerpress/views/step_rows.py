"""Step functions of the position: a row wherever a listing's value changes."""

import sqlite3

from ledgerpress.views.projection.projector import write_all


class StepRows:
    """The steps of one value of all listings, which one transaction adds to; they are written in `flush`."""

    def __init__(self, db: sqlite3.Connection, table: str, value: str, *, at_first: int | None) -> None:
        """Take the table, its column with the value, and the value before a listing's first step."""
        self._db = db
        self._at_first = at_first
        self._steps: list[tuple[int, int, int | None]] = []
        self._add = f"INSERT INTO {table} VALUES (?, ?, ?)"  # noqa: S608
        self._remove = f"DELETE FROM {table} WHERE k = ? AND pos = ?"  # noqa: S608
        self._before = f"SELECT {value} FROM {table} WHERE k = ? AND pos < ? ORDER BY pos DESC LIMIT 1"  # noqa: S608

    def add(self, k: int, position: int, value: int | None) -> None:
        """Let the value of listing `k` be this from `position` on, which is beyond all its steps."""
        self._steps.append((k, position, value))

    def before(self, k: int, position: int) -> int | None:
        """Return what held before `position` by what an earlier transaction has written."""
        row = self._db.execute(self._before, (k, position)).fetchone()
        return self._at_first if row is None else row[0]

    def remove(self, k: int, position: int) -> None:
        """Delete the step at `position` that an earlier transaction may have written."""
        self._db.execute(self._remove, (k, position))

    def flush(self) -> None:
        """Write what was added."""
        write_all(self._db, self._add, self._steps)
