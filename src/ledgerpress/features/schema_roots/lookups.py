"""How the queries find what their arguments name."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from ledgerpress.features.actors import queries as actors_queries
from ledgerpress.features.actors.schema import actor_of
from ledgerpress.features.authors import queries as authors_queries
from ledgerpress.features.authors.schema import author_of
from ledgerpress.features.categories import queries as categories
from ledgerpress.features.categories.schema import category_of
from ledgerpress.features.posts import article_queries, post_queries
from ledgerpress.features.posts.listings import EVERY_ARTICLE
from ledgerpress.features.posts.schema.article import Article, article_of, listed_articles
from ledgerpress.features.posts.schema.filters import ArticleFilter
from ledgerpress.features.posts.schema.post import post_of
from ledgerpress.features.tokens import queries as tokens
from ledgerpress.features.tokens.schema import token_of
from ledgerpress.graphql.context import PointInTime
from ledgerpress.graphql.errors import BadRequest
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.relay.connection import Connection, connect
from ledgerpress.graphql.relay.node import Node
from ledgerpress.views.listings.queries import ListingKey
from ledgerpress.views.paging import BadPageRequest, Page, PageRequest, decode_cursor

T = TypeVar("T")
R = TypeVar("R", categories.Category, authors_queries.Author, tokens.Token)


def node(moment: PointInTime, global_id: str) -> Node | None:
    """Return the object with a global id as of `moment`. Raises `BadRequest` for what is no id of ours."""
    named = global_ids.decode(global_id)
    if named is None:
        raise BadRequest("This is not an id that this server gave out.")
    return _named(moment, named)


def subject(moment: PointInTime, name: str) -> Node | None:
    """Return what an event was about, by its stream's kind and the id; `None` for what is no object of its own."""
    kind, _, subject_id = name.partition(".")
    return _named(moment, global_ids.GlobalId(kind.capitalize(), subject_id))


def _named(moment: PointInTime, named: global_ids.GlobalId) -> Node | None:
    snapshot = moment.snapshot
    match named.type:
        case "Article":
            return article_of(found, moment) if (found := article_queries.by_id(snapshot, named.id)) else None
        case "Post":
            post = post_queries.by_id(snapshot, named.id) if moment.sight.some_posts else None
            return post_of(post, moment) if post else None
        case "Category":
            return category_of(one, moment) if (one := categories.by_id(snapshot, named.id)) else None
        case "Actor":
            known = moment.sight.sees_actor(named.id) and actors_queries.actor(snapshot, named.id)
            return actor_of(named.id, moment) if known else None
        case "Author":
            return (
                author_of(author, moment) if (author := authors_queries.author(snapshot, named.id)) else None
            )
        case "ApiToken":
            token = tokens.by_id(snapshot, named.id) if moment.sight.tokens else None
            return token_of(token, moment) if token else None
        case _:
            return None


def by_id_or_slug(
    global_id: str | None,
    slug: str | None,
    type: str,
    by_id: Callable[[str], T | None],
    by_slug: Callable[[str], T | None],
) -> T | None:
    """Return what either argument names. Raises `BadRequest` unless one of the two is given."""
    if (global_id is None) == (slug is None):
        raise BadRequest("Give either id or slug.")
    if global_id is not None:
        return by_id(global_ids.argument(global_id, type))
    return by_slug(slug or "")


def category(moment: PointInTime, global_id: str | None, slug: str | None) -> categories.Category | None:
    """Return the category that either argument names. Raises `BadRequest` unless one of the two is given."""
    snapshot = moment.snapshot
    return by_id_or_slug(
        global_id,
        slug,
        "Category",
        lambda one: categories.by_id(snapshot, one),
        lambda one: categories.by_slug(snapshot, one),
    )


def filtered_articles(
    moment: PointInTime, which: ArticleFilter, request: PageRequest, *, newest_first: bool
) -> Connection[Article]:
    """Return a page of the articles that a filter names. Raises `BadRequest` for one that names too much."""
    given = [value for value in (which.category, which.category_slug, which.author) if value is not None]
    if len(given) > 1:
        raise BadRequest("Filter by one of category, categorySlug and author at a time.")
    snapshot = moment.snapshot
    if which.author is not None:
        author = authors_queries.author(snapshot, global_ids.argument(which.author, "Author"))
        keys = [author.seq] if author else []
    elif given:
        found = category(moment, which.category, which.category_slug)
        descend = which.include_descendants is not False
        keys = categories.listing_keys(snapshot, found, descend=descend) if found else []
        return listed_articles(
            moment,
            keys,
            request,
            newest_first=newest_first,
            count=lambda: categories.count_articles(snapshot, found, descend=descend) if found else 0,
        )
    else:
        keys = [EVERY_ARTICLE]
    count = None if keys else _nothing
    return listed_articles(moment, keys, request, newest_first=newest_first, count=count)


def _nothing() -> int:
    return 0


def in_order_of_making(
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
