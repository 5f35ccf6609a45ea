"""The newsroom in plain strawberry: its own ASGI application, and hand-written SQL in the sqlite3 of Python.

Usage: python -m scripts.peers.servers.plain_strawberry PORT DATABASE
"""

import sqlite3
import sys
from collections.abc import Iterable
from typing import Any, Final

import strawberry
from strawberry.asgi import GraphQL
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.types import Info

from scripts.peers.servers.uvicorn_settings import serve

_SELECT: Final = "SELECT posts.id, posts.slug, title, teaser, body, published_at FROM "
_ONE: Final = _SELECT + "posts WHERE slug = ?"
_NEWEST: Final = _SELECT + "posts ORDER BY published_at DESC LIMIT ?"
_NEWEST_OF: Final = (
    _SELECT
    + "post_categories JOIN posts ON posts.id = post_id WHERE category_id = ? ORDER BY published_at DESC LIMIT ?"
)


@strawberry.type
class Category:
    """A category."""

    id: strawberry.ID
    slug: str
    name: str

    @strawberry.field
    def posts(self, info: Info[sqlite3.Connection, None], first: int) -> list["Post"]:
        """Return the newest posts of the category."""
        return _posts(info.context.execute(_NEWEST_OF, (self.id, first)))


@strawberry.type
class Post:
    """A post."""

    id: strawberry.ID
    slug: str
    title: str
    teaser: str
    body: str
    published_at: str

    @strawberry.field
    def categories(self, info: Info[sqlite3.Connection, None]) -> list[Category]:
        """Return the categories, sorted by slug."""
        return _categories(
            info.context.execute(
                "SELECT categories.id, slug, name FROM post_categories JOIN categories ON categories.id = category_id"
                " WHERE post_id = ? ORDER BY slug",
                (self.id,),
            )
        )


@strawberry.type
class Query:
    """The queries."""

    @strawberry.field
    def posts(self, info: Info[sqlite3.Connection, None], first: int) -> list[Post]:
        """Return the newest posts."""
        return _posts(info.context.execute(_NEWEST, (first,)))

    @strawberry.field
    def post(self, info: Info[sqlite3.Connection, None], slug: str) -> Post | None:
        """Return a post."""
        rows = _posts(info.context.execute(_ONE, (slug,)))
        return rows[0] if rows else None

    @strawberry.field
    def category(self, info: Info[sqlite3.Connection, None], slug: str) -> Category | None:
        """Return a category."""
        rows = _categories(
            info.context.execute("SELECT id, slug, name FROM categories WHERE slug = ?", (slug,))
        )
        return rows[0] if rows else None

    @strawberry.field
    def categories(self, info: Info[sqlite3.Connection, None]) -> list[Category]:
        """Return all categories."""
        return _categories(info.context.execute("SELECT id, slug, name FROM categories ORDER BY id"))

    @strawberry.field
    def post_count(self, info: Info[sqlite3.Connection, None]) -> int:
        """Return the number of posts."""
        return int(info.context.execute("SELECT count(*) FROM posts").fetchone()[0])


@strawberry.type
class Mutation:
    """The mutations."""

    @strawberry.mutation
    def create_category(self, info: Info[sqlite3.Connection, None], slug: str, name: str) -> Category:
        """Create a category."""
        row = info.context.execute("INSERT INTO categories (slug, name) VALUES (?, ?)", (slug, name))
        return Category(id=strawberry.ID(str(row.lastrowid)), slug=slug, name=name)

    @strawberry.mutation
    def create_post(
        self,
        info: Info[sqlite3.Connection, None],
        slug: str,
        title: str,
        teaser: str,
        body: str,
        published_at: str,
        categories: list[strawberry.ID],
    ) -> Post:
        """Create a published post."""
        db = info.context
        with db:
            db.execute("BEGIN IMMEDIATE")
            row = db.execute(
                "INSERT INTO posts (slug, title, teaser, body, published_at) VALUES (?, ?, ?, ?, ?)",
                (slug, title, teaser, body, published_at),
            )
            db.executemany(
                "INSERT INTO post_categories (post_id, category_id) VALUES (?, ?)",
                [(row.lastrowid, category) for category in categories],
            )
        return Post(
            id=strawberry.ID(str(row.lastrowid)),
            slug=slug,
            title=title,
            teaser=teaser,
            body=body,
            published_at=published_at,
        )


def _posts(rows: Iterable[tuple[Any, ...]]) -> list[Post]:
    return [
        Post(id=key, slug=slug, title=title, teaser=teaser, body=body, published_at=published_at)
        for key, slug, title, teaser, body, published_at in rows
    ]


def _categories(rows: Iterable[tuple[Any, ...]]) -> list[Category]:
    return [Category(id=key, slug=slug, name=name) for key, slug, name in rows]


class _Newsroom(GraphQL[sqlite3.Connection, None]):
    def __init__(self, db: sqlite3.Connection) -> None:
        super().__init__(strawberry.Schema(Query, Mutation, extensions=[ParserCache, ValidationCache]))
        self._db = db

    async def get_context(self, request: Any, response: Any) -> sqlite3.Connection:
        return self._db


def main(port: int, database: str) -> None:
    """Serve until the process is ended."""
    db = sqlite3.connect(database, isolation_level=None)
    for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        db.execute(f"PRAGMA {setting}")
    serve(_Newsroom(db), port)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
