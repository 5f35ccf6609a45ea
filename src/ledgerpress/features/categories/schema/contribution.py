"""What categories contribute to the GraphQL schema."""

from typing import Final

from ledgerpress.commands.identity import Permission, RequiredPermission
from ledgerpress.features.categories.schema.category import Category, CategoryQueries, load_category
from ledgerpress.features.categories.schema.mutations import CategoryMutations
from ledgerpress.graphql.declarations import SchemaContribution

_MUTATIONS: Final = ("Create", "Rename", "Describe", "Move", "Merge", "Delete")

SCHEMA: Final = SchemaContribution(
    query=CategoryQueries,
    mutation=CategoryMutations,
    types=(Category,),
    permissions={
        "Query.category": None,
        "Query.categories": None,
        **dict.fromkeys(
            (f"Mutation.category{name}" for name in _MUTATIONS),
            RequiredPermission(Permission.WRITE_CATEGORIES),
        ),
    },
    objects={"Category": None},
    nodes={"Category": load_category},
    sizes={"Category.ancestors": 5, "Category.children": 20},
)
