"""Queries of every field of the schema, by every path of types."""

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
"""Characters of a selection that is asked for as one; of a longer one, the parts are asked for one by one."""


def selections(
    schema: GraphQLSchema, named: GraphQLNamedType, before: frozenset[str] = frozenset()
) -> Iterator[str]:
    """Yield selections that together take in all fields of a type, and of what they lead to.

    On one path no type comes twice, so that they end; of a type that has no fields, or came before, there is nothing.
    """
    if isinstance(named, GraphQLInterfaceType | GraphQLUnionType):
        for one in schema.get_possible_types(named):
            for selection in selections(schema, one, before):
                yield f"{{ __typename ... on {one.name} {selection} }}"
        return
    if not isinstance(named, GraphQLObjectType) or named.name in before:
        return
    together = ["__typename"]
    for name, field in named.fields.items():
        # An alias for each type: fields of one name may differ between the types that a node can be of.
        asked = f"{named.name}_{name}: {name}{ARGUMENTS.get(f'{named.name}.{name}', '')}"
        target = get_named_type(field.type)
        if is_leaf_type(target):
            together.append(asked)
            continue
        for selection in selections(schema, target, before | {named.name}):
            if len(" ".join(together)) + len(selection) > LONGEST:
                yield f"{{ {' '.join(together)} }}"
                together = ["__typename"]
            together.append(f"{asked} {selection}".replace(asked, f"_{len(together)}_{asked}", 1))
    yield f"{{ {' '.join(together)} }}"
