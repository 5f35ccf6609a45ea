"""Checks that the SQL of a third-party feature creates only tables and indexes with the feature's prefix.

The SQL is executed in an empty in-memory database with an authorizer, which SQLite calls before each action. So the SQL
cannot read or write a file, and has no lasting effect.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Final

from ledgerpress.feature.manifest import Feature
from ledgerpress.grapheme_clusters import shortened
from ledgerpress.sqlite.connection import statements

_OBJECTS: Final = r"SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite\_%' ESCAPE '\'"
_CREATES: Final = frozenset({sqlite3.SQLITE_CREATE_TABLE, sqlite3.SQLITE_CREATE_INDEX})
_PURE: Final = frozenset({sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION})
_OF_THE_SCHEMA: Final = frozenset(
    {
        sqlite3.SQLITE_INSERT,
        sqlite3.SQLITE_UPDATE,
        sqlite3.SQLITE_DELETE,
    }
)
_SCHEMA_TABLES: Final = frozenset({"sqlite_master", "sqlite_schema", "sqlite_sequence"})


def sql_mistakes(feature: Feature) -> Iterator[str]:
    """Yield an error for each table and index without the feature's prefix, and for each invalid statement."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        for projector in feature.projectors:
            yield from _execute(db, f"{projector.schema}\n{projector.indexes}")
        for listing in feature.listings:
            tables = _tables(db)
            yield from _execute(db, listing.schema)
            if _tables(db) == tables:
                yield f"the listing contribution {listing.name!r} must create a table of its own"
        prefix = f"x_{feature.name}_"
        for kind, name in db.execute(_OBJECTS):
            if not name.startswith(prefix):
                yield f"the {kind} {name!r} must begin with {prefix}"


def _execute(db: sqlite3.Connection, script: str) -> Iterator[str]:
    """Execute the statements of a script, and yield an error for each invalid one."""
    if script.strip() and not sqlite3.complete_statement(script):
        yield f"the last statement of its SQL must end with a semicolon: {_shown(script.strip()[-60:])}"
    for statement in statements(script):
        before = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        db.set_authorizer(_authorize)
        try:
            db.execute(statement)
        except sqlite3.Error as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_AUTH:
                yield f"its SQL is not valid: {error}"
                continue
        finally:
            db.set_authorizer(None)
        if db.execute("SELECT count(*) FROM sqlite_schema").fetchone() == before:
            yield (
                "each statement of its SQL must create a table or an index that does not exist yet: "
                f"{_shown(statement)} does not"
            )


def _authorize(
    action: int, first: str | None, second: str | None, database: str | None, _: str | None
) -> int:
    """Allow the creation of tables and indexes, and the actions that SQLite performs for it.

    See https://sqlite.org/c3ref/set_authorizer.html.
    """
    if action in _PURE:
        return sqlite3.SQLITE_OK
    if database == "main" and (
        action in _CREATES
        or action == sqlite3.SQLITE_REINDEX
        or (action in _OF_THE_SCHEMA and first in _SCHEMA_TABLES)
    ):
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def _tables(db: sqlite3.Connection) -> int:
    number: int = db.execute("SELECT count(*) FROM sqlite_schema WHERE type = 'table'").fetchone()[0]
    return number


def _shown(sql: str) -> str:
    return repr(shortened(" ".join(sql.split()), 60))
