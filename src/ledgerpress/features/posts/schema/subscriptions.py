"""The GraphQL subscriptions to articles.

Each resolver is one step: see `ledgerpress.graphql.subscriptions.step_and_signals_for_resolvers`.
"""

import strawberry

from ledgerpress.features.posts import article_queries
from ledgerpress.features.posts.listings_projection import EVERY_ARTICLE
from ledgerpress.features.posts.schema.types import Article, article_of, listed_articles
from ledgerpress.graphql.relay.connection import Connection
from ledgerpress.graphql.scalars import Position
from ledgerpress.graphql.subscriptions import step_and_signals_for_resolvers as steps
from ledgerpress.views.paging import PageRequest


@strawberry.type(description="An article appeared, changed or disappeared.")
class ArticleChanged:
    position: Position = strawberry.field(description="The position at which it did.")
    article: Article | None = strawberry.field(
        description="The article as it was then; null where it had gone, or is not public any more."
    )


@strawberry.type
class ArticleSubscriptions:
    @strawberry.field(
        description="An article each time that it appears, changes or disappears, by any slug under which it is public."
    )
    def article_changed(self, info: steps.SubscriptionInfo, slug: str) -> ArticleChanged:
        step = steps.step_of(info.context, steps.Kind.TODAY)
        if step.after is None:
            step.begin(None)
        today = info.context.today.snapshot
        position = article_queries.next_change(today, slug, step.after)
        if position is None:
            step.none_yet()
        then = steps.moment_of_event(info.context, position, info.context.public_today)
        record = article_queries.by_slug(then.snapshot, slug)
        step.found = position
        return ArticleChanged(
            position=Position(position), article=article_of(record, then) if record else None
        )

    @strawberry.field(
        description="The articles published last: now, and again whenever the answer would be another."
    )
    def recent_posts(self, info: steps.SubscriptionInfo, first: int | None = 6) -> Connection[Article]:
        step = steps.step_of(info.context, steps.Kind.STATE)
        today = info.context.today
        articles = listed_articles(today, [EVERY_ARTICLE], PageRequest(6 if first is None else first))
        if step.after is None:
            step.begin(0)
        step.found = today.snapshot.position
        return articles
