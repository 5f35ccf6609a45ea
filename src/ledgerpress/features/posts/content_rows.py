"""The table of posts' content: a row for each revision, keyed by the position that brought it."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import UNSET

from ledgerpress.commands.versioned_content import Values
from ledgerpress.features.posts.model import CONTENT, ContentChanged, PostCreated

SCHEMA: Final = """CREATE TABLE content (
            position INTEGER PRIMARY KEY, slug TEXT NOT NULL, title TEXT NOT NULL, teaser TEXT,
            body INTEGER NOT NULL,              -- the position of the body
            author_ids TEXT NOT NULL            -- a JSON array, in the order of the by-line
        ) STRICT;"""


VERSION: Final = 1
"""Raised with every change of the table: the version of the posts projector goes up with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentRow:
    """The content of a post or an article. `body` is the position of its body's text."""

    slug: str
    title: str
    teaser: str | None
    body: int
    author_ids: tuple[str, ...]


Row: TypeAlias = tuple[Any, ...]
_NAMES: Final = tuple(field.name for field in CONTENT)
SLUG: Final = _NAMES.index("slug")
"""The place of the slug among the `COLUMNS`."""
COLUMNS: Final = ", ".join(f"content.{name}" for name in _NAMES)
INSERT: Final = f"INSERT INTO content (position, {', '.join(_NAMES)}) VALUES (?{', ?' * len(_NAMES)})"  # noqa: S608
_SELECT: Final = f"SELECT {COLUMNS} FROM content WHERE position = ?"  # noqa: S608
_author_ids: Final = msgspec.json.Decoder(tuple[str, ...])


def values_of_row(row: Iterable[Any]) -> Values:
    """Return the fields of a `ContentRow` from the values of `COLUMNS`."""
    values = dict(zip(_NAMES, row, strict=True))
    values["author_ids"] = _author_ids.decode(values["author_ids"])
    return values


def row_after(old: Row, event: PostCreated | ContentChanged, position: int) -> Row:
    """Return the stored values of `COLUMNS` after an event at `position`; a value that it does not bring stays."""
    row = list[Any]()
    for index, name in enumerate(_NAMES):
        value = getattr(event, name)
        if value is UNSET:
            value = old[index]
        elif name == "body":
            value = position
        elif name == "author_ids":
            value = msgspec.json.encode(value).decode()
        row.append(value)
    return tuple(row)


def row_at(db: sqlite3.Connection, position: int) -> Row:
    """Return the stored values of `COLUMNS` at a position."""
    row: Row = db.execute(_SELECT, (position,)).fetchone()
    return row
