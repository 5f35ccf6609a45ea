"""The GraphQL queries for articles and posts."""

from enum import Enum
from functools import partial

import strawberry

from ledgerpress.features.authors import projector_and_queries as authors_queries
from ledgerpress.features.categories import queries as category_queries
from ledgerpress.features.categories.schema.category_type_and_queries import named_category
from ledgerpress.features.posts import article_queries, post_queries
from ledgerpress.features.posts.listings_projection import EVERY_ARTICLE
from ledgerpress.features.posts.schema import types, visibility
from ledgerpress.graphql.as_of import AsOf, moment_of
from ledgerpress.graphql.context import PointInTime, RequestInfo
from ledgerpress.graphql.errors import BadRequest
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.relay.connection import Connection
from ledgerpress.views.paging import PageRequest


@strawberry.enum(description="The order of articles.")
class ArticleOrder(Enum):
    PUBLISHED_AT_DESC = strawberry.enum_value("PUBLISHED_AT_DESC", description="Newest first.")
    PUBLISHED_AT_ASC = strawberry.enum_value("PUBLISHED_AT_ASC", description="Oldest first.")


@strawberry.input(
    description="A filter for the articles of one category or one author. Use one condition at a time."
)
class ArticleFilter:
    category: strawberry.ID | None = strawberry.field(default=None, description="The id of a category.")
    category_slug: str | None = strawberry.field(default=None, description="The slug of a category.")
    include_descendants: bool = strawberry.field(
        default=True, description="Whether to include articles in subcategories."
    )
    author: strawberry.ID | None = strawberry.field(default=None, description="The id of an author.")


@strawberry.input(description="A filter for posts by status.")
class PostFilter:
    status: types.PostStatusEnum | None = None  # type: ignore[valid-type]


@strawberry.type
class PostQueries:
    @strawberry.field(description="The article with this `id` or `slug`. Former public slugs work too.")
    def article(
        self,
        info: RequestInfo,
        id: strawberry.ID | None = None,
        slug: str | None = None,
        as_of: AsOf | None = None,
    ) -> types.Article | None:
        moment = moment_of(info.context, as_of)
        record = global_ids.by_id_or_slug(
            id, slug, "Article", moment.snapshot, article_queries.by_id, article_queries.by_slug
        )
        return types.article_of(record, moment) if record else None

    @strawberry.field(description="All articles, by default newest first.")
    def articles(
        self,
        info: RequestInfo,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: ArticleFilter | None = None,
        order_by: ArticleOrder | None = None,
        as_of: AsOf | None = None,
    ) -> Connection[types.Article]:
        request = PageRequest(first, after, last, before)
        newest_first = order_by is not ArticleOrder.PUBLISHED_AT_ASC
        return _filtered_articles(
            moment_of(info.context, as_of), filter or ArticleFilter(), request, newest_first=newest_first
        )

    @strawberry.field(description="The most recently published articles.")
    def recent_posts(
        self, info: RequestInfo, first: int | None = 6, after: str | None = None, as_of: AsOf | None = None
    ) -> Connection[types.Article]:
        request = PageRequest(6 if first is None else first, after)
        return types.listed_articles(moment_of(info.context, as_of), [EVERY_ARTICLE], request)

    @strawberry.field(description="The post with this `id` or `slug`. Former public slugs work too.")
    def post(
        self,
        info: RequestInfo,
        id: strawberry.ID | None = None,
        slug: str | None = None,
        as_of: AsOf | None = None,
    ) -> types.Post | None:
        moment = visibility.moment_of_posts(info.context, as_of)
        record = global_ids.by_id_or_slug(
            id, slug, "Post", moment.snapshot, post_queries.by_id, post_queries.by_slug
        )
        return types.post_of(record, moment) if record else None

    @strawberry.field(
        description="All posts that the viewer may see, published or not, most recently created first."
    )
    def posts(
        self,
        info: RequestInfo,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: PostFilter | None = None,
        as_of: AsOf | None = None,
    ) -> Connection[types.Post]:
        status = filter.status if filter else None
        moment = visibility.moment_of_posts(info.context, as_of)
        return types.listed_posts(moment, status, PageRequest(first, after, last, before))


def _filtered_articles(
    moment: PointInTime, filter: ArticleFilter, request: PageRequest, *, newest_first: bool
) -> Connection[types.Article]:
    """Return a page of the articles that match a filter. Raises `BadRequest` if it has more than one condition."""
    conditions = (filter.category, filter.category_slug, filter.author)
    if conditions.count(None) < 2:
        raise BadRequest("Filter by one of category, categorySlug and author at a time.")
    snapshot, keys, count = moment.snapshot, [EVERY_ARTICLE], None
    if filter.author is not None:
        author = authors_queries.author(snapshot, global_ids.argument(filter.author, "Author"))
        keys = [author.seq] if author else []
    elif conditions.count(None) < len(conditions):
        category = named_category(moment, filter.category, filter.category_slug)
        descend = filter.include_descendants
        keys = category_queries.listing_keys(snapshot, category, descend=descend) if category else []
        if category:
            count = partial(category_queries.count_articles, snapshot, category, descend=descend)
    return types.listed_articles(
        moment, keys, request, newest_first=newest_first, count=count if keys else lambda: 0
    )
