"""The GraphQL type of categories, and the queries for them."""

import strawberry

from ledgerpress.features.categories import queries
from ledgerpress.graphql.as_of import AsOf, moment_of
from ledgerpress.graphql.context import PointInTime, RequestInfo
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.relay.connection import Connection, connect_in_order_of_creation
from ledgerpress.graphql.relay.global_ids import Node


@strawberry.type(description="A category of the tree.")
class Category(Node):
    record: strawberry.Private[queries.Category]
    moment: strawberry.Private[PointInTime]
    version: int = strawberry.field(
        description="Raised with every change of the category; for expectedVersion."
    )
    slug: str
    name: str
    description: str | None

    @strawberry.field(description="The category above, if any.")
    def parent(self) -> "Category | None":
        if not self.record.parent:
            return None
        record = queries.by_seq(self.moment.snapshot, self.record.parent)
        return category_of(record, self.moment) if record else None

    @strawberry.field(description="The categories directly below, by name.")
    def children(self) -> "list[Category]":
        records = queries.children(self.moment.snapshot, self.record.seq)
        return [category_of(record, self.moment) for record in records]

    @strawberry.field(description="The categories above, from the top down.")
    def ancestors(self) -> "list[Category]":
        records = queries.ancestors(self.moment.snapshot, self.record)
        return [category_of(record, self.moment) for record in records]


def category_of(record: queries.Category, moment: PointInTime) -> Category:
    return Category(
        id=global_ids.encode("Category", record.id),
        record=record,
        moment=moment,
        version=record.version,
        slug=record.slug,
        name=record.name,
        description=record.description,
    )


def load_category(moment: PointInTime, category_id: str) -> Category | None:
    record = queries.by_id(moment.snapshot, category_id)
    return category_of(record, moment) if record else None


def named_category(moment: PointInTime, global_id: str | None, slug: str | None) -> queries.Category | None:
    """Return the category that one of the two arguments names. Raises `BadRequest` unless exactly one is given."""
    return global_ids.by_id_or_slug(
        global_id, slug, "Category", moment.snapshot, queries.by_id, queries.by_slug
    )


@strawberry.type
class CategoryQueries:
    @strawberry.field(description="A category by its id, or by any slug that leads to it.")
    def category(
        self,
        info: RequestInfo,
        id: strawberry.ID | None = None,
        slug: str | None = None,
        as_of: AsOf | None = None,
    ) -> Category | None:
        moment = moment_of(info.context, as_of)
        record = named_category(moment, id, slug)
        return category_of(record, moment) if record else None

    @strawberry.field(description="All categories, in the order in which they were made.")
    def categories(
        self, info: RequestInfo, first: int | None = None, after: str | None = None, as_of: AsOf | None = None
    ) -> Connection[Category]:
        moment = moment_of(info.context, as_of)
        return connect_in_order_of_creation(
            first, after, moment, queries.categories_after, category_of, queries.count_categories
        )
