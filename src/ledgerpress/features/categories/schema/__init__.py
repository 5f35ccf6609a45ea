"""What categories contribute to the GraphQL schema."""

from typing import Final

from ledgerpress.features.categories.schema.category_type_and_queries import (
    Category,
    CategoryQueries,
    load_category,
)
from ledgerpress.features.categories.schema.mutations import CategoryMutations
from ledgerpress.graphql.feature_declarations import SchemaContribution

SCHEMA: Final = SchemaContribution(
    query=CategoryQueries,
    mutation=CategoryMutations,
    types=(Category,),
    permissions={
        "Query.category": None,
        "Query.categories": None,
    },
    objects={"Category": None},
    nodes={"Category": load_category},
    sizes={"Category.ancestors": 5, "Category.children": 20},
)
