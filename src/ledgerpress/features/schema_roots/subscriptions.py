"""The subscriptions. Each resolver is one step: it finds what comes next, as `ledgerpress.graphql.subscriptions.poll_step` says."""

from dataclasses import replace

import strawberry

from ledgerpress.features.history import queries as changes
from ledgerpress.features.history.schema.change import Change, change_of
from ledgerpress.features.history.schema.change_connections import ChangeFilter
from ledgerpress.features.posts import article_queries
from ledgerpress.features.posts.listings import EVERY_ARTICLE
from ledgerpress.features.posts.schema.article import Article, article_of, listed_articles
from ledgerpress.graphql.access.past_access import require_change_access
from ledgerpress.graphql.context import Context, PointInTime
from ledgerpress.graphql.errors import BadRequest
from ledgerpress.graphql.relay.connection import Connection
from ledgerpress.graphql.scalars import Position
from ledgerpress.graphql.subscriptions.poll_step import Kind, SubscriptionInfo, step_of
from ledgerpress.views import recorded_time
from ledgerpress.views.paging import PageRequest
from ledgerpress.views.public_filter import PublicFilter

LOOKED_AT_ONCE = 64
"""Changes of a category that are looked at together: some of them may have been no change of it yet."""


@strawberry.type(description="An article appeared, changed or disappeared.")
class ArticleChanged:
    """An article appeared, changed or disappeared."""

    position: Position = strawberry.field(description="The position at which it did.")
    article: Article | None = strawberry.field(
        description="The article as it was then; null where it had gone, or is not public any more."
    )


@strawberry.type
class Subscription:
    """What one can be told of as it happens."""

    @strawberry.field(
        description="What is recorded, in order. Whoever comes again with the last position seen misses nothing, and gets"
        " nothing twice, from whichever server on the same log."
    )
    async def changes(
        self,
        info: SubscriptionInfo,
        from_position: Position | None = None,
        filter: ChangeFilter | None = None,
    ) -> Change:
        """Return the next change."""
        step = step_of(info.context, Kind.LOG)
        filter = filter or ChangeFilter()
        require_change_access(info.context, filter.which(info.context.today))
        if step.after is None:
            step.begin(await _checked(info.context, from_position))
        if filter.position_to is not None and step.after >= filter.position_to:
            step.finish()
        position = _next_change(info.context.today, filter, step.after)
        if position is None:
            step.none_yet()
        then = _as_of(info.context, position)
        record = changes.by_position(then.snapshot, position)
        assert record is not None  # noqa: S101 - it has just been found
        step.found = position
        return change_of(record, then)

    @strawberry.field(
        description="An article each time that it appears, changes or disappears, by any slug under which it is public."
    )
    def article_changed(self, info: SubscriptionInfo, slug: str) -> ArticleChanged:
        """Return the next change of an article."""
        step = step_of(info.context, Kind.TODAY)
        if step.after is None:
            step.begin(None)
        today = info.context.today.snapshot
        position = article_queries.next_change(today, slug, step.after)
        if position is None:
            step.none_yet()
        then = _as_of(info.context, position, info.context.public_today)
        found = article_queries.by_slug(then.snapshot, slug)
        step.found = position
        return ArticleChanged(position=Position(position), article=article_of(found, then) if found else None)

    @strawberry.field(
        description="The articles published last: now, and again whenever the answer would be another."
    )
    def recent_posts(self, info: SubscriptionInfo, first: int | None = 6) -> Connection[Article]:
        """Return the articles published last."""
        step = step_of(info.context, Kind.STATE)
        today = info.context.today
        found = listed_articles(today, [EVERY_ARTICLE], PageRequest(6 if first is None else first))
        if step.after is None:
            step.begin(0)
        step.found = today.snapshot.position
        return found


async def _checked(context: Context, from_position: Position | None) -> int | None:
    """Return where to begin. Raises `BadRequest` for a position that the log has not come to."""
    if from_position is None or from_position <= context.store.position:
        return from_position
    head = await context.store.log.head()
    if from_position > head:
        raise BadRequest(f"Position {from_position} lies in the future: the log is at {head}.")
    return from_position


def _next_change(today: PointInTime, filter: ChangeFilter, after: int) -> int | None:
    """Return the position of the first change beyond `after` that the filter lets through, as things stood then."""
    which = filter.which(today)
    low = max(which.low, after + 1)
    while True:
        wanted = replace(which, low=low)
        found = changes.positions(today.snapshot, wanted, limit=LOOKED_AT_ONCE, newest_first=False)
        for position in found:
            if which.category_id is None:
                return position
            # A category's changes are those of what it took over, too: of what it had taken over by then.
            then = replace(today.snapshot, position=position)
            alone = replace(which, low=position, high=position)
            if changes.positions(then, alone, limit=1, newest_first=False):
                return position
        if len(found) < LOOKED_AT_ONCE:
            return None
        low = found[-1] + 1


def _as_of(context: Context, position: int, only: PublicFilter | None = None) -> PointInTime:
    """Return the moment of an event: what is told of it is the same whenever it is told."""
    today = context.today
    snapshot = replace(today.snapshot, position=position, only=only)
    return replace(today, snapshot=snapshot, instant=recorded_time.time_of(snapshot) or today.now, reads=None)
