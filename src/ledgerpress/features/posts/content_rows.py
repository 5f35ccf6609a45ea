"""The table of posts' content: a row for each revision, keyed by the position that brought it."""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from ledgerpress.commands.content import Values
from ledgerpress.features.posts.model import CONTENT

SCHEMA: Final = """CREATE TABLE content (
            position INTEGER PRIMARY KEY, slug TEXT NOT NULL, title TEXT NOT NULL, teaser TEXT,
            body INTEGER NOT NULL,              -- the position of the body
            author_ids TEXT NOT NULL            -- a JSON array, in the order of the by-line
        ) STRICT;"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentRow:
    """The content of a post or an article. `body` is the position of its body's text."""

    slug: str
    title: str
    teaser: str | None
    body: int
    author_ids: tuple[str, ...]


_NAMES: Final = tuple(field.name for field in CONTENT)
COLUMNS: Final = ", ".join(f"content.{name}" for name in _NAMES)
INSERT: Final = f"INSERT INTO content (position, {', '.join(_NAMES)}) VALUES (?{', ?' * len(_NAMES)})"  # noqa: S608
_SELECT: Final = f"SELECT {COLUMNS} FROM content WHERE position = ?"  # noqa: S608
_author_ids: Final = msgspec.json.Decoder(tuple[str, ...])


def values_of_row(row: Iterable[Any]) -> Values:
    """Return the fields of a `ContentRow` from the values of `COLUMNS`."""
    values = dict(zip(_NAMES, row, strict=True))
    values["author_ids"] = _author_ids.decode(values["author_ids"])
    return values


def stored(values: Mapping[str, Any], position: int) -> Values:
    """Return content values as they are stored: the body by the position that brought it, ids as JSON."""
    row = dict(values)
    if "body" in row:
        row["body"] = position
    if "author_ids" in row:
        row["author_ids"] = msgspec.json.encode(row["author_ids"]).decode()
    return row


def stored_at(db: sqlite3.Connection, position: int) -> Values:
    """Return the values of a row as they are stored."""
    return dict(zip(_NAMES, db.execute(_SELECT, (position,)).fetchone(), strict=True))
