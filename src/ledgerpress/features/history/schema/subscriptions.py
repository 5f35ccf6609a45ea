"""The GraphQL subscription to changes."""

from dataclasses import replace
from typing import Final

import strawberry

from ledgerpress.features.history import change_queries as changes
from ledgerpress.features.history.change_queries import ChangeQuery
from ledgerpress.features.history.schema.change import Change, change_of
from ledgerpress.features.history.schema.queries import ChangeFilter, require_change_access
from ledgerpress.graphql.context import Context, PointInTime
from ledgerpress.graphql.errors import BadRequest
from ledgerpress.graphql.feature_declarations import declarations_of
from ledgerpress.graphql.scalars import Position
from ledgerpress.graphql.subscriptions import step_and_signals_for_resolvers as steps

BATCH: Final = 64
"""The number of changes that are read at a time; those of a category are then checked one by one."""


@strawberry.type
class ChangeSubscriptions:
    @strawberry.field(
        description="The changes in the order in which they are recorded. A client that resumes from the last position"
        " that it saw misses no change and receives none twice, on any server of the same log."
    )
    async def changes(
        self,
        info: steps.SubscriptionInfo,
        from_position: Position | None = None,
        filter: ChangeFilter | None = None,
    ) -> Change:
        step = steps.step_of(info.context, steps.Kind.LOG)
        query = (filter or ChangeFilter()).query(info.context.today, declarations_of(info).event_types)
        require_change_access(info.context, query)
        if step.after is None:
            step.begin(await _checked(info.context, from_position))
        if filter and filter.position_to is not None and step.after >= filter.position_to:
            step.finish()
        position = _next_change(info.context.today, query, step.after)
        if position is None:
            step.none_yet()
        then = steps.moment_of_event(info.context, position)
        record = changes.by_position(then.snapshot, position)
        assert record is not None  # noqa: S101 - `_next_change` has just read it
        step.position = position
        return change_of(record, then)


async def _checked(context: Context, from_position: Position | None) -> int | None:
    """Return the position to begin after. Raises `BadRequest` if it is beyond the head of the log."""
    if from_position is None or from_position <= context.store.position:
        return from_position
    head = await context.store.log.head()
    if from_position > head:
        raise BadRequest(f"Position {from_position} is in the future: the log is at {head}.")
    return from_position


def _next_change(today: PointInTime, query: ChangeQuery, after: int) -> int | None:
    """Return the position of the first change after `after` that matches the query as of the change's own position."""
    low = max(query.low, after + 1)
    while True:
        positions = changes.positions(
            today.snapshot, replace(query, low=low), limit=BATCH, newest_first=False
        )
        for position in positions:
            if query.category_id is None:
                return position
            # A category includes only the categories that had been merged into it by then.
            then = replace(today.snapshot, position=position)
            alone = replace(query, low=position, high=position)
            if changes.positions(then, alone, limit=1, newest_first=False):
                return position
        if len(positions) < BATCH:
            return None
        low = positions[-1] + 1
