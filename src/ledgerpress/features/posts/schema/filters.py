"""Filters and orders of lists of articles and posts."""

from enum import Enum

import strawberry

from ledgerpress.features.posts.schema.post import PostStatusEnum


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
    include_descendants: bool | None = strawberry.field(
        default=True, description="With the categories below it."
    )
    author: strawberry.ID | None = strawberry.field(default=None, description="An author, by id.")


@strawberry.input(description="Which posts.")
class PostFilter:
    """Which posts."""

    status: PostStatusEnum | None = None  # type: ignore[valid-type]
