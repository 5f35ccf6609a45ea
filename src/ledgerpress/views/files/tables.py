"""Creates and checks the tables of a views file, and detects tables of other versions of the program."""

import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Final

from ledgerpress.sqlite import faults
from ledgerpress.sqlite.connection import statements
from ledgerpress.views.projection import checkpoints
from ledgerpress.views.projection.projector_interface_and_composition import Projector

APPLICATION_ID: Final = 0x4C507677
"""The mark of a LedgerPress views file (https://sqlite.org/pragma.html#pragma_application_id): "LPvw"."""

INDEXING_PRAGMAS: Final[dict[str, str | int]] = {"temp_store": "FILE", "cache_size": -8_192}
"""Pragmas for `create_indexes` on a long table: SQLite sorts all its rows, as many at a time as fit in the cache."""

_TOKEN: Final = re.compile(r"""--[^\n]*|/\*.*?\*/|('(?:[^']|'')*'|"(?:[^"]|"")*"|\w+|[^\s\w])""", re.DOTALL)
_SCHEMA: Final = "SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'"


class ViewsDamaged(sqlite3.DatabaseError):
    """The file is a database, but its views are damaged or incomplete."""


class ViewsOfOtherVersions(Exception):
    """The tables differ from the tables of this program's projectors."""


def create_tables(
    db: sqlite3.Connection, projectors: Sequence[Projector], *, began_at: int = 0, indexes: bool = True
) -> None:
    """Create the projectors' tables, empty, and their checkpoints, in a file that has no tables.

    `began_at` is the head of the log before any event is read for them. Without `indexes`, the indexes that only
    readers use are left to `create_indexes`: rows are then written faster.
    """
    if db.execute(_SCHEMA).fetchone():
        return
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    _run(db, checkpoints.SCHEMA, *(projector.schema for projector in projectors))
    checkpoints.create(db, projectors, began_at)
    if indexes:
        _run(db, *(projector.indexes for projector in projectors))


def create_indexes(db: sqlite3.Connection, projectors: Sequence[Projector]) -> None:
    """Create missing indexes that only readers use. After all rows, that costs less than an update with each row.

    For a table with many rows, set `INDEXING_PRAGMAS` before the transaction: they limit the memory use.
    """
    existing_names = {name for name, _ in db.execute(_SCHEMA)}
    with closing(_whole(projectors)) as expected_db:
        for name, sql in expected_db.execute(_SCHEMA + " AND type = 'index'").fetchall():
            if name not in existing_names:
                db.execute(sql)


def recreate(db: sqlite3.Connection, projectors: Sequence[Projector], *, began_at: int) -> None:
    """Empty the file, and create all tables and indexes again."""
    tables = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    for (name,) in tables.fetchall():
        db.execute(f'DROP TABLE "{name}"')
    create_tables(db, projectors, began_at=began_at)


def recreate_tables(db: sqlite3.Connection, projectors: Sequence[Projector]) -> None:
    """Create the projectors' tables and indexes again, as for an empty log."""
    for projector in projectors:
        for table in tables_of(projector):
            db.execute(f'DROP TABLE "{table}"')
        _run(db, projector.schema, projector.indexes)


def check_tables(db: sqlite3.Connection, projectors: Sequence[Projector], *, indexes: bool = True) -> None:
    """Raise `ViewsDamaged` or `ViewsOfOtherVersions` unless every table and every checkpoint is there.

    Without `indexes`, the indexes that only readers use may be missing.
    """
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise ViewsDamaged("it is not marked as a views file")
    actual = _normalized_schema(db)
    with closing(_whole(projectors)) as expected_db:
        expected = _normalized_schema(expected_db)
    if not {"projection", "views"} <= {name for name, _ in actual}:
        raise ViewsDamaged("it has no checkpoints")
    if not actual <= expected or (indexes and actual != expected):
        versions = set(db.execute("SELECT name, version FROM projection"))
        if versions == {(projector.name, projector.version) for projector in projectors}:
            raise ViewsDamaged("its tables do not match the projectors")
        raise ViewsOfOtherVersions("other versions of the projectors created its tables")
    if {name for (name,) in db.execute("SELECT name FROM projection")} != {
        projector.name for projector in projectors
    }:
        raise ViewsDamaged("its checkpoints do not match the projectors")


def is_damage(error: Exception) -> bool:
    """Return whether the file's content is damaged, not only inaccessible."""
    return isinstance(error, ViewsDamaged) or faults.is_damage(error)


def tables_of(projector: Projector) -> list[str]:
    """Return the names of the projector's tables."""
    with closing(sqlite3.connect(":memory:")) as db:
        _run(db, projector.schema)
        rows = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        return [name for (name,) in rows]


def has_tables_of(db: sqlite3.Connection, projector: Projector) -> bool:
    """Return whether a views file contains the tables exactly as the projector declares them."""
    with closing(sqlite3.connect(":memory:")) as declared:
        _run(declared, projector.schema)
        return _normalized_schema(declared) <= _normalized_schema(db)


def normalized(sql: str) -> str:
    """Return `sql` without comments and with one space between tokens: comments and whitespace identify no table."""
    return " ".join(filter(None, _TOKEN.findall(sql)))


def _normalized_schema(db: sqlite3.Connection) -> set[tuple[str, str]]:
    return {(name, normalized(sql or "")) for name, sql in db.execute(_SCHEMA)}


def _whole(projectors: Sequence[Projector]) -> sqlite3.Connection:
    db = sqlite3.connect(":memory:")
    create_tables(db, projectors)
    return db


def _run(db: sqlite3.Connection, *scripts: str) -> None:
    for script in scripts:
        for statement in statements(script):
            db.execute(statement)
