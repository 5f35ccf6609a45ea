"""Categories: a tree, and the articles in each."""

from typing import Annotated

import strawberry

from ledgerpress.features.categories import queries as categories
from ledgerpress.features.history.queries import ChangeQuery
from ledgerpress.features.history.schema.change import Change
from ledgerpress.features.history.schema.change_connections import ChangeOrder, listed_changes
from ledgerpress.features.posts.schema.article import Article, listed_articles
from ledgerpress.graphql.context import PointInTime
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.relay.connection import Connection
from ledgerpress.graphql.relay.node import Node
from ledgerpress.views.paging import PageRequest


@strawberry.type(description="A category of the tree.")
class Category(Node):
    """A category of the tree."""

    record: strawberry.Private[categories.Category]
    moment: strawberry.Private[PointInTime]
    version: int = strawberry.field(
        description="Raised with every change of the category; for expectedVersion."
    )
    slug: str
    name: str
    description: str | None

    @strawberry.field(description="The category above, if any.")
    def parent(self) -> "Category | None":
        """Return the category above, if any."""
        if not self.record.parent:
            return None
        found = categories.by_seq(self.moment.snapshot, self.record.parent)
        return category_of(found, self.moment) if found else None

    @strawberry.field(description="The categories directly below, by name.")
    def children(self) -> "list[Category]":
        """Return the categories directly below, by name."""
        return [
            category_of(one, self.moment)
            for one in categories.children(self.moment.snapshot, self.record.seq)
        ]

    @strawberry.field(description="The categories above, from the top down.")
    def ancestors(self) -> "list[Category]":
        """Return the categories above, from the top down."""
        return [
            category_of(one, self.moment) for one in categories.ancestors(self.moment.snapshot, self.record)
        ]

    @strawberry.field(
        description="How many articles are in the category and those below it, each counted once."
    )
    def article_count(self) -> int:
        """Return how many articles are in the category and those below it."""
        return categories.count_articles(self.moment.snapshot, self.record, descend=True)

    @strawberry.field(description="The category's articles, newest first.")
    def articles(
        self,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        include_descendants: Annotated[
            bool | None, strawberry.argument(description="Whether to take in the categories below.")
        ] = True,
    ) -> Connection[Article]:
        """Return a page of the category's articles."""
        snapshot = self.moment.snapshot
        return listed_articles(
            self.moment,
            categories.listing_keys(snapshot, self.record, descend=include_descendants is not False),
            PageRequest(first, after, last, before),
            count=lambda: categories.count_articles(
                snapshot, self.record, descend=include_descendants is not False
            ),
        )

    @strawberry.field(
        description="Everything that was done to the category and to those that it took over, the newest first unless "
        "asked otherwise. `changes` with a filter by category has the posts that entered or left it as well."
    )
    def history(
        self,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        order_by: ChangeOrder = ChangeOrder.NEWEST,
    ) -> Connection[Change]:
        """Return a page of the category's changes."""
        which = ChangeQuery(category_id=self.record.id, members=False)
        return listed_changes(self.moment, which, PageRequest(first, after, last, before), order_by)


def category_of(record: categories.Category, moment: PointInTime) -> Category:
    """Return the category that a record of `moment` holds."""
    return Category(
        id=global_ids.encode("Category", record.id),
        record=record,
        moment=moment,
        version=record.version,
        slug=record.slug,
        name=record.name,
        description=record.description,
    )
