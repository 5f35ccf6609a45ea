"""Fields that the history adds to the GraphQL types of posts and categories."""

from typing import Annotated

import strawberry

from ledgerpress.features.categories.schema.category_type_and_queries import Category
from ledgerpress.features.history.change_queries import ChangeQuery
from ledgerpress.features.history.schema.change import Change
from ledgerpress.features.history.schema.diff_and_blame import BlameSpan, PostDiff, blame_of, diff_of
from ledgerpress.features.history.schema.queries import ChangeOrder, listed_changes
from ledgerpress.features.posts.schema.types import Post
from ledgerpress.graphql.context import RequestInfo
from ledgerpress.graphql.relay.connection import Connection
from ledgerpress.views.paging import PageRequest


@strawberry.type
class PostFields:
    @strawberry.field(
        description="All changes of the post, newest first by default. Merges of its categories are included, and their "
        "undoing: their `subject` is the category, and they do not change the version of the post."
    )
    @staticmethod
    def history(
        post: strawberry.Parent[Post],
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        order_by: ChangeOrder = ChangeOrder.NEWEST,
    ) -> Connection[Change]:
        query = ChangeQuery(subject=f"post.{post.record.id}")
        return listed_changes(post.moment, query, PageRequest(first, after, last, before), order_by)

    @strawberry.field(
        description=(
            "The differences between two versions in the post's history; version 0 is the state before its creation."
        )
    )
    @staticmethod
    def diff(
        post: strawberry.Parent[Post],
        from_: Annotated[int, strawberry.argument(name="from")],
        to: int,
    ) -> PostDiff:
        return diff_of(post.record, post.moment, from_, to)

    @strawberry.field(description="Who added each part of the body; joined, the spans give the body.")
    @staticmethod
    async def blame(post: strawberry.Parent[Post], info: RequestInfo) -> list[BlameSpan]:
        return await blame_of(post.record, post.moment, info.context)


@strawberry.type
class CategoryFields:
    @strawberry.field(
        description="All changes of the category and of the categories merged into it, newest first by default. "
        "`changes` with a category filter also includes changes that added or removed posts."
    )
    @staticmethod
    def history(
        category: strawberry.Parent[Category],
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        order_by: ChangeOrder = ChangeOrder.NEWEST,
    ) -> Connection[Change]:
        query = ChangeQuery(category_id=category.record.id, members=False)
        return listed_changes(category.moment, query, PageRequest(first, after, last, before), order_by)
