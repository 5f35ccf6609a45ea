"""The queries. Every one of an answer's fields reads the same snapshot."""

import strawberry

from ledgerpress.features import people_queries
from ledgerpress.features.actors.viewer_schema import Viewer, viewer_of
from ledgerpress.features.authors.schema import Author, author_of
from ledgerpress.features.categories import queries as categories
from ledgerpress.features.categories.schema import Category, category_of
from ledgerpress.features.history.schema.change import Change
from ledgerpress.features.history.schema.change_connections import ChangeFilter, ChangeOrder, listed_changes
from ledgerpress.features.posts import article_queries as articles
from ledgerpress.features.posts import post_queries as posts
from ledgerpress.features.posts.schema.article import Article, article_of, listed_articles
from ledgerpress.features.posts.schema.filters import ArticleFilter, ArticleOrder, PostFilter
from ledgerpress.features.posts.schema.post import Post, listed_posts, post_of
from ledgerpress.features.schema_roots import lookups
from ledgerpress.features.site.schema import Digest, Projection, ProjectionState, Site, site_of
from ledgerpress.features.tokens import queries as tokens
from ledgerpress.features.tokens.schema import ApiToken, token_of
from ledgerpress.graphql.access.past_access import require_change_access
from ledgerpress.graphql.as_of import AsOf, MomentType, describe, moment_of, moment_of_posts
from ledgerpress.graphql.context import RequestInfo
from ledgerpress.graphql.errors import BadRequest
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.relay.connection import Connection
from ledgerpress.graphql.relay.node import Node
from ledgerpress.graphql.scalars import Position
from ledgerpress.views.listings.keys import EVERY_ARTICLE
from ledgerpress.views.paging import PageRequest
from ledgerpress.views.projection import checkpoints
from ledgerpress.views.projection.lag import lags

MAX_NODES = 100


@strawberry.type
class Query:
    """What can be asked."""

    @strawberry.field(description="Who asks, as this server takes them.")
    def viewer(self, info: RequestInfo) -> Viewer:
        """Return the caller."""
        return viewer_of(info.context)

    @strawberry.field(description="An object by its id; null where there is none, or none to be seen.")
    def node(self, info: RequestInfo, id: strawberry.ID) -> Node | None:
        """Return the object with a global id."""
        return lookups.node(info.context.today, id)

    @strawberry.field(description="Objects by their ids, in the same order; at most 100.")
    def nodes(self, info: RequestInfo, ids: list[strawberry.ID]) -> list[Node | None]:
        """Return the objects with these global ids."""
        if len(ids) > MAX_NODES:
            raise BadRequest(f"There are {len(ids)} ids; at most {MAX_NODES} may be asked for at once.")
        return [lookups.node(info.context.today, one) for one in ids]

    @strawberry.field
    def site(self, info: RequestInfo, as_of: AsOf | None = None) -> Site:
        """Return the site."""
        return site_of(moment_of(info.context, as_of))

    @strawberry.field(description="An article by its id, or by any slug under which it was ever public.")
    def article(
        self,
        info: RequestInfo,
        id: strawberry.ID | None = None,
        slug: str | None = None,
        as_of: AsOf | None = None,
    ) -> Article | None:
        """Return an article."""
        moment = moment_of(info.context, as_of)
        found = lookups.by_id_or_slug(
            id,
            slug,
            "Article",
            lambda one: articles.by_id(moment.snapshot, one),
            lambda one: articles.by_slug(moment.snapshot, one),
        )
        return article_of(found, moment) if found else None

    @strawberry.field(description="The articles, the newest first unless another order is asked for.")
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
    ) -> Connection[Article]:
        """Return a page of articles."""
        request = PageRequest(first, after, last, before)
        newest_first = order_by is not ArticleOrder.PUBLISHED_AT_ASC
        return lookups.filtered_articles(
            moment_of(info.context, as_of), filter or ArticleFilter(), request, newest_first=newest_first
        )

    @strawberry.field(description="The articles published last.")
    def recent_posts(
        self, info: RequestInfo, first: int | None = 6, after: str | None = None, as_of: AsOf | None = None
    ) -> Connection[Article]:
        """Return the articles published last."""
        request = PageRequest(6 if first is None else first, after)
        return listed_articles(moment_of(info.context, as_of), [EVERY_ARTICLE], request)

    @strawberry.field(description="A category by its id, or by any slug that leads to it.")
    def category(
        self,
        info: RequestInfo,
        id: strawberry.ID | None = None,
        slug: str | None = None,
        as_of: AsOf | None = None,
    ) -> Category | None:
        """Return a category."""
        moment = moment_of(info.context, as_of)
        found = lookups.category(moment, id, slug)
        return category_of(found, moment) if found else None

    @strawberry.field(description="All categories, in the order in which they were made.")
    def categories(
        self, info: RequestInfo, first: int | None = None, after: str | None = None, as_of: AsOf | None = None
    ) -> Connection[Category]:
        """Return a page of categories."""
        moment = moment_of(info.context, as_of)
        return lookups.in_order_of_making(
            first,
            after,
            lambda seq, limit: categories.categories_after(moment.snapshot, seq, limit),
            lambda one: category_of(one, moment),
            lambda: categories.count_categories(moment.snapshot),
        )

    @strawberry.field
    def author(self, info: RequestInfo, id: strawberry.ID, as_of: AsOf | None = None) -> Author | None:
        """Return an author."""
        moment = moment_of(info.context, as_of)
        found = people_queries.author(moment.snapshot, global_ids.argument(id, "Author"))
        return author_of(found, moment) if found else None

    @strawberry.field(description="All authors, in the order in which they were registered.")
    def authors(
        self, info: RequestInfo, first: int | None = None, after: str | None = None, as_of: AsOf | None = None
    ) -> Connection[Author]:
        """Return a page of authors."""
        moment = moment_of(info.context, as_of)
        return lookups.in_order_of_making(
            first,
            after,
            lambda seq, limit: people_queries.authors_after(moment.snapshot, seq, limit),
            lambda one: author_of(one, moment),
            lambda: people_queries.count_authors(moment.snapshot),
        )

    @strawberry.field(description="A post by its id, or by any slug that it holds.")
    def post(
        self,
        info: RequestInfo,
        id: strawberry.ID | None = None,
        slug: str | None = None,
        as_of: AsOf | None = None,
    ) -> Post | None:
        """Return a post."""
        moment = moment_of_posts(info.context, as_of)
        found = lookups.by_id_or_slug(
            id,
            slug,
            "Post",
            lambda one: posts.by_id(moment.snapshot, one),
            lambda one: posts.by_slug(moment.snapshot, one),
        )
        return post_of(found, moment) if found else None

    @strawberry.field(description="The posts, published or not, the newest first.")
    def posts(
        self,
        info: RequestInfo,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: PostFilter | None = None,
        as_of: AsOf | None = None,
    ) -> Connection[Post]:
        """Return a page of posts."""
        status = filter.status if filter else None
        moment = moment_of_posts(info.context, as_of)
        return listed_posts(moment, status, PageRequest(first, after, last, before))

    @strawberry.field(description="What was recorded, the newest first unless asked otherwise.")
    def changes(
        self,
        info: RequestInfo,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: ChangeFilter | None = None,
        order_by: ChangeOrder = ChangeOrder.NEWEST,
    ) -> Connection[Change]:
        """Return a page of the changes of the whole log."""
        moment = info.context.today
        which = (filter or ChangeFilter()).which(moment)
        require_change_access(info.context, which)
        return listed_changes(moment, which, PageRequest(first, after, last, before), order_by)

    @strawberry.field(description="All API tokens that were ever made, in the order in which they were.")
    def tokens(
        self, info: RequestInfo, first: int | None = None, after: str | None = None
    ) -> Connection[ApiToken]:
        """Return a page of API tokens."""
        moment = info.context.today
        return lookups.in_order_of_making(
            first,
            after,
            lambda seq, limit: tokens.tokens_after(moment.snapshot, seq, limit),
            lambda one: token_of(one, moment),
            lambda: tokens.count_tokens(moment.snapshot),
        )

    @strawberry.field(description="The position that a moment resolves to; without asOf, today's.")
    def moment(self, info: RequestInfo, as_of: AsOf | None = None) -> MomentType:
        """Return a moment."""
        return describe(moment_of(info.context, as_of))

    @strawberry.field(description="How far each projection has come.")
    async def projections(self, info: RequestInfo) -> list[Projection]:
        """Return the projections."""
        store = info.context.store
        points = store.checkpoints
        behind = await lags(store.log, points, store.clock.now(), store.log_health)
        digests = checkpoints.digests(info.context.today.snapshot.db)
        return [
            Projection(
                name=name,
                state=ProjectionState.PAUSED if point.is_paused else ProjectionState.RUNNING,
                checkpoint=Position(point.position),
                lag=behind[name].events,
                lag_seconds=behind[name].seconds,
                failed_at=None if point.failed_at is None else Position(point.failed_at),
                error=point.error,
                digest=Digest(position=Position(taken[0]), sha256=taken[1])
                if (taken := digests.get(name))
                else None,
            )
            for name, point in points.items()
        ]
