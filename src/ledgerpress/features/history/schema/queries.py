"""The GraphQL queries for changes: of the whole log, of a post, of a category, with access control."""

from collections.abc import Collection
from dataclasses import replace
from enum import Enum
from typing import Final

import strawberry

from ledgerpress.commands.roles_and_permissions import READ_HISTORY
from ledgerpress.features.history import change_queries as changes
from ledgerpress.features.history.change_queries import ChangeQuery
from ledgerpress.features.history.schema.change import Change, change_of
from ledgerpress.features.posts import post_queries
from ledgerpress.features.posts.schema.visibility import own_actor_id, owns_post
from ledgerpress.graphql.access_control import AccessDenied
from ledgerpress.graphql.context import Context, PointInTime, RequestInfo
from ledgerpress.graphql.errors import BadRequest
from ledgerpress.graphql.feature_declarations import declarations_of
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.relay.connection import Connection, connect, read_page_by_position
from ledgerpress.graphql.scalars import DateTime, Position
from ledgerpress.views import recorded_time_positions as recorded_time
from ledgerpress.views.paging import PageRequest

_SUBJECTS: Final = {
    "Post": "post",
    "Article": "post",
    "Category": "category",
    "Author": "author",
    "Actor": "actor",
    "Page": "page",
    "PageDraft": "page",
}


@strawberry.enum(description="The order of changes.")
class ChangeOrder(Enum):
    NEWEST = strawberry.enum_value("NEWEST", description="Newest first.")
    OLDEST = strawberry.enum_value("OLDEST", description="Oldest first.")


@strawberry.input(description="A filter for changes; a change must match every field that is set.")
class ChangeFilter:
    stream: strawberry.ID | None = strawberry.field(
        default=None,
        description="Changes of one post, category, author, actor or site page, by id. Those of a post include the merges of its "
        "categories.",
    )
    types: list[str] | None = strawberry.field(
        default=None, description="Changes with one of these stored event names, such as post.edited."
    )
    actor: strawberry.ID | None = strawberry.field(default=None, description="Changes by an actor, by id.")
    category: strawberry.ID | None = strawberry.field(
        default=None,
        description="Changes of a category and of the categories merged into it, and changes that added posts to it or "
        "removed them.",
    )
    recorded_from: DateTime | None = strawberry.field(
        default=None, description="Changes recorded at this time or later. Recorded times never go backwards."
    )
    recorded_to: DateTime | None = strawberry.field(
        default=None, description="Changes recorded at this time or earlier."
    )
    position_from: Position | None = strawberry.field(default=None, description="The lowest position.")
    position_to: Position | None = strawberry.field(default=None, description="The highest position.")

    def query(self, moment: PointInTime, known_types: Collection[str]) -> ChangeQuery:
        """Return the query for the changes. Raises `BadRequest` for an invalid id or an unknown type of event."""
        low, high = self.position_from or 1, moment.snapshot.position
        if self.position_to is not None:
            high = min(high, self.position_to)
        if self.recorded_from is not None:
            low = max(low, recorded_time.position_at(moment.snapshot, self.recorded_from - 1) + 1)
        if self.recorded_to is not None:
            high = min(high, recorded_time.position_at(moment.snapshot, self.recorded_to))
        if unknown := sorted({*(self.types or ())}.difference(known_types)):
            raise BadRequest(f"Unknown event type “{unknown[0]}”.")
        return ChangeQuery(
            subject=None if self.stream is None else _subject(self.stream),
            types=self.types,
            actor_id=None if self.actor is None else global_ids.argument(self.actor, "Actor"),
            category_id=None if self.category is None else global_ids.argument(self.category, "Category"),
            low=low,
            high=high,
        )


def listed_changes(
    moment: PointInTime, query: ChangeQuery, request: PageRequest, order: ChangeOrder
) -> Connection[Change]:
    """Return a page of changes. Raises `BadRequest` for invalid arguments."""
    page = read_page_by_position(
        lambda low, high, limit, newest_first: changes.positions(
            moment.snapshot, replace(query, low=low, high=high), limit=limit, newest_first=newest_first
        ),
        request,
        low=query.low,
        high=query.high,
        newest_first=order is ChangeOrder.NEWEST,
    )
    records = [changes.by_position(moment.snapshot, key.post) for key in page.entries]
    nodes = [change_of(record, moment) if record else None for record in records]
    return connect(page, nodes, lambda: changes.count(moment.snapshot, query))


def require_change_access(context: Context, query: ChangeQuery) -> None:
    """Raise `AccessDenied` unless the viewer may see these changes.

    Viewers with the permission `READ_HISTORY` may see all changes, and authors those of their own posts. The error is
    the same for another user's post and for a post that does not exist.
    """
    if context.identity.may(READ_HISTORY):
        return
    kind, _, post_id = (query.subject or "").partition(".")
    own = kind == "post" and own_actor_id(context.identity)
    post = post_queries.by_id(context.today.snapshot, post_id) if own else None
    if post is None or not owns_post(context.today, post.seq):
        raise AccessDenied(context.identity, READ_HISTORY)


def _subject(global_id: str) -> str:
    decoded = global_ids.decode(global_id)
    if decoded is None or decoded.type not in _SUBJECTS:
        raise BadRequest(
            "The stream is not the id of a post, a category, an author, an actor or a site page."
        )
    return f"{_SUBJECTS[decoded.type]}.{global_ids.argument(global_id, decoded.type)}"


@strawberry.type
class ChangeQueries:
    @strawberry.field(description="The recorded changes, newest first by default.")
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
        moment = info.context.today
        query = (filter or ChangeFilter()).query(moment, declarations_of(info).event_types)
        require_change_access(info.context, query)
        return listed_changes(moment, query, PageRequest(first, after, last, before), order_by)
