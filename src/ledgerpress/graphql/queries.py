"""The queries. Every one of an answer's fields reads the same snapshot."""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import TypeVar

import strawberry

from ledgerpress.graphql import ids
from ledgerpress.graphql.context import Context, PressInfo
from ledgerpress.graphql.errors import BadRequest
from ledgerpress.graphql.scalars import Position
from ledgerpress.graphql.types.article import Article, article_of, listed_articles
from ledgerpress.graphql.types.author import Author, author_of
from ledgerpress.graphql.types.category import Category, category_of
from ledgerpress.graphql.types.connection import Connection, connect
from ledgerpress.graphql.types.node import Node
from ledgerpress.graphql.types.post import Post, PostStatusEnum, listed_posts, post_of
from ledgerpress.graphql.types.site import Projection, ProjectionState, Site
from ledgerpress.readmodels import articles, categories, people, posts
from ledgerpress.readmodels.listing_keys import EVERY_ARTICLE
from ledgerpress.readmodels.listings import ListingKey
from ledgerpress.readmodels.paging import BadPageRequest, Page, PageRequest, decode_cursor

T = TypeVar("T")
R = TypeVar("R", categories.Category, people.Author)

MAX_NODES = 100


@strawberry.enum(description="The order of articles.")
class ArticleOrder(Enum):
    """The order of articles."""

    PUBLISHED_AT_DESC = strawberry.enum_value("PUBLISHED_AT_DESC", description="The newest first.")
    PUBLISHED_AT_ASC = strawberry.enum_value("PUBLISHED_AT_ASC", description="The oldest first.")


@strawberry.input(description="Which articles: those of one category or of one author.")
class ArticleFilter:
    """Which articles: those of one category or of one author."""

    category: strawberry.ID | None = strawberry.field(default=None, description="A category, by id.")
    category_slug: str | None = strawberry.field(default=None, description="A category, by slug.")
    include_descendants: bool = strawberry.field(default=True, description="With the categories below it.")
    author: strawberry.ID | None = strawberry.field(default=None, description="An author, by id.")


@strawberry.input(description="Which posts.")
class PostFilter:
    """Which posts."""

    status: PostStatusEnum | None = None  # type: ignore[valid-type]


@strawberry.type
class Query:
    """What can be asked."""

    @strawberry.field(description="An object by its id; null where there is none, or none to be seen.")
    def node(self, info: PressInfo, id: strawberry.ID) -> Node | None:
        """Return the object with a global id."""
        return _node(info.context, id)

    @strawberry.field(description="Objects by their ids, in the same order; at most 100.")
    def nodes(self, info: PressInfo, ids: list[strawberry.ID]) -> list[Node | None]:
        """Return the objects with these global ids."""
        if len(ids) > MAX_NODES:
            raise BadRequest(f"There are {len(ids)} ids; at most {MAX_NODES} may be asked for at once.")
        return [_node(info.context, one) for one in ids]

    @strawberry.field
    def site(self, info: PressInfo) -> Site:
        """Return the site."""
        snapshot = info.context.snapshot
        return Site(name=people.site_name(snapshot), position=Position(snapshot.position))

    @strawberry.field(description="An article by its id, or by any slug under which it was ever public.")
    def article(
        self,
        info: PressInfo,
        id: strawberry.ID | None = None,
        slug: str | None = None,
    ) -> Article | None:
        """Return an article."""
        snapshot = info.context.snapshot
        found = _by_id_or_slug(
            id,
            slug,
            "Article",
            lambda one: articles.by_id(snapshot, one),
            lambda one: articles.by_slug(snapshot, one),
        )
        return article_of(found) if found else None

    @strawberry.field(description="The articles, the newest first unless another order is asked for.")
    def articles(
        self,
        info: PressInfo,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: ArticleFilter | None = None,
        order_by: ArticleOrder | None = None,
    ) -> Connection[Article]:
        """Return a page of articles."""
        request = PageRequest(first, after, last, before)
        newest_first = order_by is not ArticleOrder.PUBLISHED_AT_ASC
        return _filtered(info.context, filter or ArticleFilter(), request, newest_first=newest_first)

    @strawberry.field(description="The articles published last.")
    def recent_posts(
        self, info: PressInfo, first: int | None = 6, after: str | None = None
    ) -> Connection[Article]:
        """Return the articles published last."""
        request = PageRequest(6 if first is None else first, after)
        return listed_articles(info.context, [EVERY_ARTICLE], request)

    @strawberry.field(description="A category by its id, or by any slug that leads to it.")
    def category(
        self,
        info: PressInfo,
        id: strawberry.ID | None = None,
        slug: str | None = None,
    ) -> Category | None:
        """Return a category."""
        found = _category(info.context, id, slug)
        return category_of(found) if found else None

    @strawberry.field(description="All categories, in the order in which they were made.")
    def categories(
        self, info: PressInfo, first: int | None = None, after: str | None = None
    ) -> Connection[Category]:
        """Return a page of categories."""
        snapshot = info.context.snapshot
        return _in_order_of_making(
            first,
            after,
            lambda seq, limit: categories.categories_after(snapshot, seq, limit),
            category_of,
            lambda: categories.count_categories(snapshot),
        )

    @strawberry.field
    def author(self, info: PressInfo, id: strawberry.ID) -> Author | None:
        """Return an author."""
        found = people.author(info.context.snapshot, ids.argument(id, "Author"))
        return author_of(found) if found else None

    @strawberry.field(description="All authors, in the order in which they were registered.")
    def authors(
        self, info: PressInfo, first: int | None = None, after: str | None = None
    ) -> Connection[Author]:
        """Return a page of authors."""
        snapshot = info.context.snapshot
        return _in_order_of_making(
            first,
            after,
            lambda seq, limit: people.authors_after(snapshot, seq, limit),
            author_of,
            lambda: people.count_authors(snapshot),
        )

    @strawberry.field(description="A post by its id, or by any slug that it holds.")
    def post(
        self,
        info: PressInfo,
        id: strawberry.ID | None = None,
        slug: str | None = None,
    ) -> Post | None:
        """Return a post."""
        snapshot = info.context.snapshot
        found = _by_id_or_slug(
            id, slug, "Post", lambda one: posts.by_id(snapshot, one), lambda one: posts.by_slug(snapshot, one)
        )
        return post_of(found) if found else None

    @strawberry.field(description="The posts, published or not, the newest first.")
    def posts(
        self,
        info: PressInfo,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: PostFilter | None = None,
    ) -> Connection[Post]:
        """Return a page of posts."""
        status = filter.status if filter else None
        return listed_posts(info.context, status, PageRequest(first, after, last, before))

    @strawberry.field(description="How far each projection has come.")
    async def projections(self, info: PressInfo) -> list[Projection]:
        """Return the projections."""
        store = info.context.store
        head = await store.log.head()
        return [
            Projection(
                name=name,
                state=ProjectionState.PAUSED if point.is_paused else ProjectionState.RUNNING,
                checkpoint=Position(point.position),
                lag=max(0, head - point.position),
                error=point.error,
            )
            for name, point in store.checkpoints.items()
        ]


def _node(context: Context, global_id: str) -> Node | None:
    named = ids.decode(global_id)
    if named is None:
        raise BadRequest("This is not an id that this server gave out.")
    snapshot = context.snapshot
    match named.type:
        case "Article":
            return article_of(found) if (found := articles.by_id(snapshot, named.id)) else None
        case "Post":
            return post_of(post) if (post := posts.by_id(snapshot, named.id)) else None
        case "Category":
            return category_of(one) if (one := categories.by_id(snapshot, named.id)) else None
        case "Author":
            return author_of(author) if (author := people.author(snapshot, named.id)) else None
        case _:
            return None


def _by_id_or_slug(
    global_id: str | None,
    slug: str | None,
    type: str,
    by_id: Callable[[str], T | None],
    by_slug: Callable[[str], T | None],
) -> T | None:
    if (global_id is None) == (slug is None):
        raise BadRequest("Give either id or slug.")
    if global_id is not None:
        return by_id(ids.argument(global_id, type))
    return by_slug(slug or "")


def _category(context: Context, global_id: str | None, slug: str | None) -> categories.Category | None:
    snapshot = context.snapshot
    return _by_id_or_slug(
        global_id,
        slug,
        "Category",
        lambda one: categories.by_id(snapshot, one),
        lambda one: categories.by_slug(snapshot, one),
    )


def _filtered(
    context: Context, which: ArticleFilter, request: PageRequest, *, newest_first: bool
) -> Connection[Article]:
    given = [value for value in (which.category, which.category_slug, which.author) if value is not None]
    if len(given) > 1:
        raise BadRequest("Filter by one of category, categorySlug and author at a time.")
    snapshot = context.snapshot
    if which.author is not None:
        author = people.author(snapshot, ids.argument(which.author, "Author"))
        keys = [author.seq] if author else []
    elif given:
        category = _category(context, which.category, which.category_slug)
        descend = which.include_descendants
        keys = categories.listing_keys(snapshot, category, descend=descend) if category else []
        return listed_articles(
            context,
            keys,
            request,
            newest_first=newest_first,
            count=lambda: categories.count_articles(snapshot, category, descend=descend) if category else 0,
        )
    else:
        keys = [EVERY_ARTICLE]
    count = None if keys else _nothing
    return listed_articles(context, keys, request, newest_first=newest_first, count=count)


def _nothing() -> int:
    return 0


def _in_order_of_making(
    first: int | None,
    after: str | None,
    read: Callable[[int, int], Sequence[R]],
    make: Callable[[R], T],
    count: Callable[[], int],
) -> Connection[T]:
    """Return a page of what has no date: its place is the position at which it was made."""
    try:
        size = PageRequest(first).size
        start = decode_cursor(after, name="after").post if after is not None else 0
    except BadPageRequest as error:
        raise BadRequest(str(error)) from None
    found = read(start, size + 1)
    keys = [ListingKey(0, one.seq) for one in found[:size]]
    page = Page(keys, has_next=len(found) > size, has_previous=after is not None)
    return connect(page, [make(one) for one in found[:size]], count)
