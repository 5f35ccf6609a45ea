"""The GraphQL subscriptions to articles.

Each resolver performs one step: see `ledgerpress.graphql.subscriptions.step_and_signals_for_resolvers`.
"""

import strawberry

from ledgerpress.features.posts import article_queries
from ledgerpress.features.posts.listings_projection import EVERY_ARTICLE
from ledgerpress.features.posts.schema.types import Article, article_of, listed_articles
from ledgerpress.graphql.relay.connection import Connection
from ledgerpress.graphql.scalars import Position
from ledgerpress.graphql.subscriptions import step_and_signals_for_resolvers as steps
from ledgerpress.views.paging import PageRequest


@strawberry.type(description="A change of an article: it appeared, changed or disappeared.")
class ArticleChanged:
    position: Position = strawberry.field(description="The position of the change.")
    article: Article | None = strawberry.field(
        description="The article after the change; null if it disappeared, or is no longer public today."
    )


@strawberry.type
class ArticleSubscriptions:
    @strawberry.field(
        description=(
            "Sends a result each time the article with this slug appears, changes or disappears. Former public slugs "
            "work too."
        )
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
        step.position = position
        return ArticleChanged(
            position=Position(position), article=article_of(record, then) if record else None
        )

    @strawberry.field(
        description="Sends the most recently published articles immediately, and again each time the result changes."
    )
    def recent_posts(self, info: steps.SubscriptionInfo, first: int | None = 6) -> Connection[Article]:
        step = steps.step_of(info.context, steps.Kind.STATE)
        today = info.context.today
        articles = listed_articles(today, [EVERY_ARTICLE], PageRequest(6 if first is None else first))
        if step.after is None:
            step.begin(0)
        step.position = today.snapshot.position
        return articles
