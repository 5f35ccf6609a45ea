"""Queries that select every field of the schema on every path of types."""

from collections.abc import Iterator
from typing import Final

from graphql import (
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
)

from tests.integration.schema_walk import ARGUMENTS

LONGEST: Final = 15_000
"""Maximum length of a selection in characters; a longer selection is split into several."""


def selections(
    schema: GraphQLSchema, named: GraphQLNamedType, before: frozenset[str] = frozenset()
) -> Iterator[str]:
    """Yield selections that together contain all fields of a type and of all types that it leads to.

    No type occurs twice on one path, so the recursion ends. A type without fields, or in `before`, yields nothing.
    """
    if isinstance(named, GraphQLInterfaceType | GraphQLUnionType):
        for member in schema.get_possible_types(named):
            for selection in selections(schema, member, before):
                yield f"{{ __typename ... on {member.name} {selection} }}"
        return
    if not isinstance(named, GraphQLObjectType) or named.name in before:
        return
    together = ["__typename"]
    for name, field in named.fields.items():
        # The alias contains the type, because fields of the same name may differ between the types of a node.
        aliased_field = f"{named.name}_{name}: {name}{ARGUMENTS.get(f'{named.name}.{name}', '')}"
        target = get_named_type(field.type)
        if is_leaf_type(target):
            together.append(aliased_field)
            continue
        for selection in selections(schema, target, before | {named.name}):
            if len(" ".join(together)) + len(selection) > LONGEST:
                yield f"{{ {' '.join(together)} }}"
                together = ["__typename"]
            together.append(
                f"{aliased_field} {selection}".replace(aliased_field, f"_{len(together)}_{aliased_field}", 1)
            )
    yield f"{{ {' '.join(together)} }}"
