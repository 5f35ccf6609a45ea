"""A digest of each table of the views, by which two files made from one log are compared."""

import hashlib
import sqlite3
from typing import NamedTuple

import msgspec


class TableDigest(NamedTuple):
    """How many rows a table has, and the SHA-256 (in hex) of all of them, in the order of its key."""

    rows: int
    sha256: str


def table_digests(db: sqlite3.Connection) -> dict[str, TableDigest]:
    """Return the digest of each table by its name, but for the checkpoints and SQLite's own tables.

    Memory does not grow with the tables: rows come in the order of the primary key, which is an index.
    """
    tables = db.execute(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
        " AND name NOT LIKE 'sqlite_%' AND name <> 'projection' ORDER BY name"
    )
    return {name: _digest(db, name) for (name,) in tables.fetchall()}


def _digest(db: sqlite3.Connection, table: str) -> TableDigest:
    columns = db.execute("SELECT name, pk FROM pragma_table_info(?) ORDER BY cid", (table,)).fetchall()
    key = [name for pk, name in sorted((pk, name) for name, pk in columns if pk)]
    order = ", ".join(f'"{name}"' for name in key or [name for name, _ in columns])
    encode = msgspec.msgpack.Encoder().encode
    digest = hashlib.sha256()
    count = 0
    for row in db.execute(f'SELECT * FROM "{table}" ORDER BY {order}'):  # noqa: S608
        digest.update(encode(row))
        count += 1
    return TableDigest(count, digest.hexdigest())
