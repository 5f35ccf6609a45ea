"""The fields that posts add to the GraphQL types of authors and categories."""

from typing import Annotated

import strawberry

from ledgerpress.features.authors.schema import Author
from ledgerpress.features.categories import queries as category_queries
from ledgerpress.features.categories.schema.category_type_and_queries import Category
from ledgerpress.features.posts.schema.types import Article, listed_articles
from ledgerpress.graphql.relay.connection import Connection
from ledgerpress.views.paging import PageRequest


@strawberry.type
class AuthorFields:
    @strawberry.field(description="The articles of this author, newest first.")
    @staticmethod
    def articles(
        author: strawberry.Parent[Author],
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Article]:
        return listed_articles(author.moment, [author.seq], PageRequest(first, after, last, before))


@strawberry.type
class CategoryFields:
    @strawberry.field(
        description="The number of articles in the category and its subcategories; each is counted once."
    )
    @staticmethod
    def article_count(category: strawberry.Parent[Category]) -> int:
        return category_queries.count_articles(category.moment.snapshot, category.record, descend=True)

    @strawberry.field(description="The articles in the category, newest first.")
    @staticmethod
    def articles(
        category: strawberry.Parent[Category],
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        include_descendants: Annotated[
            bool, strawberry.argument(description="Whether to include articles in subcategories.")
        ] = True,
    ) -> Connection[Article]:
        snapshot, record = category.moment.snapshot, category.record
        return listed_articles(
            category.moment,
            category_queries.listing_keys(snapshot, record, descend=include_descendants),
            PageRequest(first, after, last, before),
            count=lambda: category_queries.count_articles(snapshot, record, descend=include_descendants),
        )
