"""Categories: a tree, and the articles in each."""

from typing import Annotated

import strawberry

from ledgerpress.graphql import ids
from ledgerpress.graphql.context import PressInfo
from ledgerpress.graphql.types.article import Article, listed_articles
from ledgerpress.graphql.types.connection import Connection
from ledgerpress.graphql.types.node import Node
from ledgerpress.readmodels import categories
from ledgerpress.readmodels.paging import PageRequest


@strawberry.type(description="A category of the tree.")
class Category(Node):
    """A category of the tree."""

    record: strawberry.Private[categories.Category]
    version: int = strawberry.field(
        description="Raised with every change of the category; for expectedVersion."
    )
    slug: str
    name: str
    description: str | None

    @strawberry.field(description="The category above, if any.")
    def parent(self, info: PressInfo) -> "Category | None":
        """Return the category above, if any."""
        if not self.record.parent:
            return None
        found = categories.by_seq(info.context.snapshot, self.record.parent)
        return category_of(found) if found else None

    @strawberry.field(description="The categories directly below, by name.")
    def children(self, info: PressInfo) -> "list[Category]":
        """Return the categories directly below, by name."""
        return [category_of(one) for one in categories.children(info.context.snapshot, self.record.seq)]

    @strawberry.field(description="The categories above, from the top down.")
    def ancestors(self, info: PressInfo) -> "list[Category]":
        """Return the categories above, from the top down."""
        return [category_of(one) for one in categories.ancestors(info.context.snapshot, self.record)]

    @strawberry.field(
        description="How many articles are in the category and those below it, each counted once."
    )
    def article_count(self, info: PressInfo) -> int:
        """Return how many articles are in the category and those below it."""
        return categories.count_articles(info.context.snapshot, self.record, descend=True)

    @strawberry.field(description="The category's articles, newest first.")
    def articles(
        self,
        info: PressInfo,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        include_descendants: Annotated[
            bool, strawberry.argument(description="Whether to take in the categories below.")
        ] = True,
    ) -> Connection[Article]:
        """Return a page of the category's articles."""
        snapshot = info.context.snapshot
        return listed_articles(
            info.context,
            categories.listing_keys(snapshot, self.record, descend=include_descendants),
            PageRequest(first, after, last, before),
            count=lambda: categories.count_articles(snapshot, self.record, descend=include_descendants),
        )


def category_of(record: categories.Category) -> Category:
    """Return the category that a record holds."""
    return Category(
        id=ids.encode("Category", record.id),
        record=record,
        version=record.version,
        slug=record.slug,
        name=record.name,
        description=record.description,
    )
