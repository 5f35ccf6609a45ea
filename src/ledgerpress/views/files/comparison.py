"""Computes a digest of each table of the views, and the differences between two views files, by table and by row."""

import hashlib
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cmp_to_key
from typing import Any, NamedTuple, TypeAlias

import msgspec

from ledgerpress.views.projection.checkpoints import BOOKKEEPING

_Row: TypeAlias = tuple[Any, ...]


class TableDigest(NamedTuple):
    """The number of rows of a table, and the SHA-256 (in hex) of all rows in the order of the table's key."""

    rows: int
    sha256: str


class KeyColumn(NamedTuple):
    """A column of a table's primary key, and whether the key sorts it in descending order."""

    name: str
    descending: bool


@dataclass(frozen=True, slots=True)
class RowDifference:
    """A row that was removed (`after` is null), added (`before` is null), or changed.

    `key` identifies the row. `before` and `after` contain other columns: the columns that differ or, for a row that
    exists on only one side, all of them.
    """

    table: str
    key: Mapping[str, object]
    before: Mapping[str, object] | None
    after: Mapping[str, object] | None


@dataclass(slots=True)
class TableDifference:
    """The differences of a table: its digest on each side, `None` if the table is missing there, and counts of rows.

    Rows are identified by the table's key or, if the two keys differ, by all common columns. Columns that exist on only
    one side, `columns_before` and `columns_after`, are not compared.
    """

    table: str
    before: TableDigest | None
    after: TableDigest | None
    columns_before: list[str] = field(default_factory=list)
    columns_after: list[str] = field(default_factory=list)
    added: int = 0
    removed: int = 0
    changed: int = 0


def table_digests(db: sqlite3.Connection, but: Collection[str] = ()) -> dict[str, TableDigest]:
    """Return the digest of each table by name, except for SQLite's own tables and the tables in `but`.

    Memory use does not grow with the tables: rows are read in the order of the primary key, which is an index.
    """
    tables = db.execute(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
        " AND name NOT LIKE 'sqlite_%' ORDER BY name"
    )
    return {name: _digest(db, name) for (name,) in tables.fetchall() if name not in but}


def _columns(db: sqlite3.Connection, table: str) -> list[str]:
    """Return the names of a table's columns, in their order; none if the table does not exist."""
    return [name for (name,) in db.execute("SELECT name FROM pragma_table_info(?) ORDER BY cid", (table,))]


def _key(db: sqlite3.Connection, table: str) -> list[KeyColumn]:
    """Return the columns that identify and order a table's rows: all columns if it has no primary key."""
    columns_of_key = db.execute(
        'SELECT x.name, x."desc" FROM pragma_index_list(?) AS i JOIN pragma_index_xinfo(i.name) AS x'
        " WHERE i.origin = 'pk' AND x.key ORDER BY x.seqno",
        (table,),
    ).fetchall()
    columns_of_key = (
        columns_of_key or db.execute("SELECT name, 0 FROM pragma_table_info(?) WHERE pk", (table,)).fetchall()
    )
    return [KeyColumn(name, bool(desc)) for name, desc in columns_of_key] or [
        KeyColumn(name, descending=False) for name in _columns(db, table)
    ]


def _rows(
    db: sqlite3.Connection, table: str, columns: Collection[str], order: Collection[KeyColumn]
) -> Iterator[tuple[object, ...]]:
    """Yield the given `columns` of a table's rows; nothing without columns, as for a table that does not exist."""
    if not columns:
        return
    order_by = ", ".join(f'"{name}"{" DESC" if desc else ""}' for name, desc in order)
    names = ", ".join(f'"{name}"' for name in columns)
    yield from db.execute(f'SELECT {names} FROM "{table}" ORDER BY {order_by}')  # noqa: S608


def _digest(db: sqlite3.Connection, table: str) -> TableDigest:
    encode = msgspec.msgpack.Encoder().encode
    digest = hashlib.sha256()
    count = 0
    for row in _rows(db, table, _columns(db, table), _key(db, table)):
        digest.update(encode(row))
        count += 1
    return TableDigest(count, digest.hexdigest())


def compare(
    before: sqlite3.Connection,
    after: sqlite3.Connection,
    report: Callable[[RowDifference], None],
    but: Collection[str] = (),
) -> tuple[list[TableDifference], dict[str, TableDigest]]:
    """Return the tables that differ, and the digests of all tables in `after`. `report` receives each row that differs.

    Tables in `but` are excluded. Memory use does not grow with the tables.
    """
    exclusions = BOOKKEEPING | set(but)
    old, new = table_digests(before, exclusions), table_digests(after, exclusions)
    differing = [
        _differences(before, after, TableDifference(name, old.get(name), new.get(name)), report)
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name) or set(_columns(before, name)) != set(_columns(after, name))
    ]
    return differing, new


def _differences(
    before: sqlite3.Connection,
    after: sqlite3.Connection,
    difference: TableDifference,
    report: Callable[[RowDifference], None],
) -> TableDifference:
    table = difference.table
    old, new = _columns(before, table), _columns(after, table)
    if difference.before and difference.after:
        difference.columns_before = [name for name in old if name not in new]
        difference.columns_after = [name for name in new if name not in old]
    common = [name for name in old if name in new]
    if not common:
        # Without common columns, no rows correspond: report each row with all its columns.
        for row in _rows(before, table, old, _key(before, table)):
            difference.removed += 1
            report(_difference(table, old, _key(before, table), row, None))
        for row in _rows(after, table, new, _key(after, table)):
            difference.added += 1
            report(_difference(table, new, _key(after, table), None, row))
        return difference
    keys = _key(after, table)
    if {column.name for column in keys} != {column.name for column in _key(before, table)}:
        keys = [KeyColumn(name, descending=False) for name in common]
    rows_before = _rows(before, table, common, keys)
    rows_after = _rows(after, table, common, keys)
    for row_before, row_after in _merged(rows_before, rows_after, common, keys):
        if row_before == row_after:
            continue
        if row_before is None:
            difference.added += 1
        elif row_after is None:
            difference.removed += 1
        else:
            difference.changed += 1
        report(_difference(table, common, keys, row_before, row_after))
    return difference


def _merged(
    before: Iterator[_Row], after: Iterator[_Row], common: Sequence[str], keys: Sequence[KeyColumn]
) -> Iterator[tuple[_Row | None, _Row | None]]:
    """Yield the rows of both sides in the order of their keys; rows with the same key are yielded together."""
    places = [(common.index(name), descending) for name, descending in keys]

    def order(left: _Row, right: _Row) -> int:
        for place, descending in places:
            a, b = _sortable(left[place]), _sortable(right[place])
            if a != b:
                return -1 if (a < b) != descending else 1
        return 0

    in_order = cmp_to_key(order)
    old_row, new_row = next(before, None), next(after, None)
    while old_row is not None or new_row is not None:
        if new_row is None or (old_row is not None and in_order(old_row) < in_order(new_row)):
            yield old_row, None
            old_row = next(before, None)
        elif old_row is None or in_order(new_row) < in_order(old_row):
            yield None, new_row
            new_row = next(after, None)
        else:
            yield old_row, new_row
            old_row, new_row = next(before, None), next(after, None)


def _sortable(value: object) -> tuple[int, Any]:
    """Return a sort key that orders values of all types as SQLite does.

    See https://sqlite.org/datatype3.html#comparisons.
    """
    if value is None:
        return 0, 0
    if isinstance(value, int | float):
        return 1, value
    return (2, value.encode()) if isinstance(value, str) else (3, value)


def _difference(
    table: str, common: Sequence[str], keys: Sequence[KeyColumn], before: _Row | None, after: _Row | None
) -> RowDifference:
    either = before if after is None else after
    values = dict(zip(common, either or (), strict=True))
    key = {name: values[name] for name, _ in keys}

    def side(row: _Row | None, other: _Row | None) -> Mapping[str, object] | None:
        if row is None:
            return None
        return {
            name: value
            for place, (name, value) in enumerate(zip(common, row, strict=True))
            if (other[place] != value if other is not None else name not in key)
        }

    return RowDifference(table, key, side(before, after), side(after, before))
