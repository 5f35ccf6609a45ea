"""The GraphQL type of categories, and the queries for them."""

import strawberry

from ledgerpress.features.categories import queries
from ledgerpress.graphql.as_of import AsOf, moment_of
from ledgerpress.graphql.context import PointInTime, RequestInfo
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.relay.connection import Connection, connect_in_order_of_creation
from ledgerpress.graphql.relay.global_ids import Node


@strawberry.type(description="A category in the category tree.")
class Category(Node):
    record: strawberry.Private[queries.Category]
    moment: strawberry.Private[PointInTime]
    version: int = strawberry.field(
        description="The number of changes of the category, from 1. Pass it as `expectedVersion`."
    )
    slug: str
    name: str
    description: str | None

    @strawberry.field(description="The parent category; null at the top level.")
    def parent(self) -> "Category | None":
        if not self.record.parent:
            return None
        record = queries.by_seq(self.moment.snapshot, self.record.parent)
        return category_of(record, self.moment) if record else None

    @strawberry.field(description="The direct subcategories, sorted by name.")
    def children(self) -> "list[Category]":
        records = queries.children(self.moment.snapshot, self.record.seq)
        return [category_of(record, self.moment) for record in records]

    @strawberry.field(description="All categories above this one, from the top level down.")
    def ancestors(self) -> "list[Category]":
        records = queries.ancestors(self.moment.snapshot, self.record)
        return [category_of(record, self.moment) for record in records]


def category_of(record: queries.Category, moment: PointInTime) -> Category:
    return Category(
        id=global_ids.id_of(moment, "Category", record.id),
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
    """Return the category with a global id or a slug. Raises `BadRequest` unless exactly one of them is given."""
    return global_ids.by_id_or_slug(
        global_id, slug, "Category", moment.snapshot, queries.by_id, queries.by_slug
    )


@strawberry.type
class CategoryQueries:
    @strawberry.field(
        description="The category with this `id` or `slug`. Former slugs and merged categories work too."
    )
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

    @strawberry.field(description="All categories, in the order of creation.")
    def categories(
        self, info: RequestInfo, first: int | None = None, after: str | None = None, as_of: AsOf | None = None
    ) -> Connection[Category]:
        moment = moment_of(info.context, as_of)
        return connect_in_order_of_creation(
            first, after, moment, queries.categories_after, category_of, queries.count_categories
        )
