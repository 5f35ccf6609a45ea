"""The GraphQL schema of categories, and its public names for features above categories."""

from typing import Final

from ledgerpress.features.categories.schema.category_type_and_queries import (
    Category,
    CategoryQueries,
    category_of,
    load_category,
    named_category,
)
from ledgerpress.features.categories.schema.mutations import (
    CategoryBy,
    CategoryCreateInput,
    CategoryDeleteInput,
    CategoryDescribeInput,
    CategoryMergeInput,
    CategoryMoveInput,
    CategoryMutations,
    CategoryPayload,
    CategoryRenameInput,
    CategoryUnmergeInput,
)
from ledgerpress.graphql.feature_declarations import SchemaContribution

__all__ = [
    "SCHEMA",
    "Category",
    "CategoryBy",
    "CategoryCreateInput",
    "CategoryDeleteInput",
    "CategoryDescribeInput",
    "CategoryMergeInput",
    "CategoryMoveInput",
    "CategoryPayload",
    "CategoryRenameInput",
    "CategoryUnmergeInput",
    "category_of",
    "load_category",
    "named_category",
]

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
