"""The magazine, served by strawberry alone: its own ASGI application with default settings.

It reads the same rows from the same file with the same functions of the read models as LedgerPress. Values that need no
lookup are attributes; each value that needs a lookup has its own resolver.
"""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import strawberry
from starlette.types import ASGIApp, Receive, Scope, Send
from strawberry.asgi import GraphQL

from ledgerpress.commands.client_identity import ANONYMOUS
from ledgerpress.features.authors import projector_and_queries as authors_queries
from ledgerpress.features.posts import article_queries as articles
from ledgerpress.features.posts import post_queries
from ledgerpress.features.posts.body.html_rendering_and_sections import render
from ledgerpress.features.posts.body.plain_text import derived_teaser
from ledgerpress.features.posts.listings_projection import EVERY_ARTICLE
from ledgerpress.features.registry import graphql_schema
from ledgerpress.graphql.context import Context
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.scalars import iso_time
from ledgerpress.server.store import Store
from ledgerpress.views.paging import PageRequest, encode_cursor, page_of
from ledgerpress.views.relative_time_text import relative_time
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot


@dataclass(frozen=True)
class _Request:
    snapshot: Snapshot
    now: int


_request: ContextVar[_Request] = ContextVar("request")
_context: ContextVar[Context] = ContextVar("context")


@strawberry.type
class Author:
    """An author."""

    name: str


@strawberry.type
class Category:
    """A category."""

    id: strawberry.ID
    slug: str
    name: str


@strawberry.type
class PageInfo:
    """The position of a page in its list."""

    has_next_page: bool
    end_cursor: str | None


@strawberry.type
class Article:
    """An article."""

    record: strawberry.Private[articles.Article]
    id: strawberry.ID
    slug: str
    title: str
    published_at: str
    updated_at: str

    @strawberry.field
    async def teaser(self) -> str:
        """Return the teaser."""
        return _teaser(self.record)

    @strawberry.field
    async def teaser_is_cut(self) -> bool:
        """Return whether the teaser is cut."""
        return _teaser(self.record).endswith(("…", "..."))

    @strawberry.field
    async def age(self) -> str:
        """Return how long ago it was published."""
        return relative_time(self.record.published_at, _request.get().now)

    @strawberry.field
    async def authors(self) -> list[Author]:
        """Return the authors."""
        rows = authors_queries.authors(_request.get().snapshot, self.record.author_ids)
        return [Author(name=row.name) for row in rows]

    @strawberry.field
    async def categories(self) -> list[Category]:
        """Return the categories."""
        rows = post_queries.categories_of(_request.get().snapshot, self.record.seq)
        return [
            Category(id=global_ids.encode("Category", row.id), slug=row.slug, name=row.name) for row in rows
        ]


@strawberry.type
class Articles:
    """A page of articles."""

    page_info: PageInfo
    nodes: list[Article]


@strawberry.type
class Query:
    """The queries."""

    @strawberry.field
    async def articles(self, first: int) -> Articles:
        """Return a page of articles."""
        snapshot = _request.get().snapshot
        page = page_of(snapshot, [EVERY_ARTICLE], PageRequest(first))
        records = [articles.by_seq(snapshot, key.post) for key in page.entries]
        return Articles(
            page_info=PageInfo(
                has_next_page=page.has_next,
                end_cursor=encode_cursor(page.entries[-1]) if page.entries else None,
            ),
            nodes=[_article(record) for record in records if record],
        )


def plain_strawberry(store: Store) -> ASGIApp:
    """Return the ASGI application."""
    graphql: GraphQL[Any, Any] = GraphQL(strawberry.Schema(Query))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with store.snapshot() as snapshot:
            _request.set(_Request(snapshot, store.clock.now()))
            await graphql(scope, receive, send)

    return app


def our_schema(store: Store) -> ASGIApp:
    """Return strawberry's application with LedgerPress's schema and resolvers, none of which is awaited."""
    graphql = _OurGraphQL(graphql_schema())

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        context = Context(store, ANONYMOUS)
        _context.set(context)
        try:
            await graphql(scope, receive, send)
        finally:
            context.close()

    return app


class _OurGraphQL(GraphQL[Any, Any]):
    async def get_context(self, request: Any, response: Any) -> Any:
        return _context.get()


def _article(record: articles.Article) -> Article:
    return Article(
        record=record,
        id=global_ids.encode("Article", record.id),
        slug=record.slug,
        title=record.title,
        published_at=iso_time(record.published_at),
        updated_at=iso_time(record.updated_at),
    )


def _teaser(record: articles.Article) -> str:
    if record.teaser is not None:
        return record.teaser
    return derived_teaser(render(post_queries.markdown(_request.get().snapshot, record.body)).lead)
