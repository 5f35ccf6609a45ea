"""A digest of each table of the views, by which two files made from one log are compared, and the order of its rows."""

import hashlib
import sqlite3
from collections.abc import Collection, Iterator
from typing import NamedTuple

import msgspec


class TableDigest(NamedTuple):
    """How many rows a table has, and the SHA-256 (in hex) of all of them, in the order of its key."""

    rows: int
    sha256: str


class KeyColumn(NamedTuple):
    """A column of a table's primary key, and whether the key has its greatest value first."""

    name: str
    descending: bool


def table_digests(db: sqlite3.Connection, but: Collection[str] = ()) -> dict[str, TableDigest]:
    """Return the digest of each table by its name, but for SQLite's own tables and those named.

    Memory does not grow with the tables: rows come in the order of the primary key, which is an index.
    """
    tables = db.execute(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
        " AND name NOT LIKE 'sqlite_%' ORDER BY name"
    )
    return {name: _digest(db, name) for (name,) in tables.fetchall() if name not in but}


def columns(db: sqlite3.Connection, table: str) -> list[str]:
    """Return the names of a table's columns, in their order; none where there is no such table."""
    return [name for (name,) in db.execute("SELECT name FROM pragma_table_info(?) ORDER BY cid", (table,))]


def key(db: sqlite3.Connection, table: str) -> list[KeyColumn]:
    """Return the columns that identify and order a table's rows; all, where it has no primary key."""
    columns_of_key = db.execute(
        'SELECT x.name, x."desc" FROM pragma_index_list(?) AS i JOIN pragma_index_xinfo(i.name) AS x'
        " WHERE i.origin = 'pk' AND x.key ORDER BY x.seqno",
        (table,),
    ).fetchall()
    columns_of_key = (
        columns_of_key or db.execute("SELECT name, 0 FROM pragma_table_info(?) WHERE pk", (table,)).fetchall()
    )
    return [KeyColumn(name, bool(desc)) for name, desc in columns_of_key] or [
        KeyColumn(name, descending=False) for name in columns(db, table)
    ]


def rows(
    db: sqlite3.Connection, table: str, wanted: Collection[str], order: Collection[KeyColumn]
) -> Iterator[tuple[object, ...]]:
    """Yield the rows of a table with the columns `wanted`; none where there is no such table, and no columns."""
    if not wanted:
        return
    by = ", ".join(f'"{name}"{" DESC" if desc else ""}' for name, desc in order)
    names = ", ".join(f'"{name}"' for name in wanted)
    yield from db.execute(f'SELECT {names} FROM "{table}" ORDER BY {by}')  # noqa: S608


def _digest(db: sqlite3.Connection, table: str) -> TableDigest:
    encode = msgspec.msgpack.Encoder().encode
    digest = hashlib.sha256()
    count = 0
    for row in rows(db, table, columns(db, table), key(db, table)):
        digest.update(encode(row))
        count += 1
    return TableDigest(count, digest.hexdigest())
