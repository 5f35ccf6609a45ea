"""The costs of the schema's fields, by IBM's GraphQL Cost Directives Specification, printed in the schema.

The declarations of features have weights and sizes by `Type.field`, where `*` is any type. The default weights of the
specification are 1 for objects, for fields that return an object and for arguments that accept one; 0 for scalars and
enums. The default size of a list is `ASSUMED_SIZE`.
"""

from copy import copy
from typing import Any, Final

import strawberry
from graphql import (
    GraphQLField,
    GraphQLList,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    get_nullable_type,
    is_leaf_type,
)
from graphql import get_named_type as named_type
from strawberry.schema_directive import Location

from ledgerpress.graphql.feature_declarations import SchemaDeclarations
from ledgerpress.views.paging import DEFAULT_PAGE

ASSUMED_SIZE: Final = 10
_SIZED: Final = frozenset(("edges", "nodes"))
MUTATION_WEIGHT: Final = 10.0
_DEFINITION: Final = "strawberry-definition"
_SIZED_FIELDS: Final = "ledgerpress-sized-fields"
"""The type extension with the fields whose list size the field above determines."""


@strawberry.schema_directive(
    locations=[
        Location.ARGUMENT_DEFINITION,
        Location.ENUM,
        Location.FIELD_DEFINITION,
        Location.INPUT_FIELD_DEFINITION,
        Location.OBJECT,
        Location.SCALAR,
    ],
    name="cost",
)
class Cost:
    """The weight that a field adds to the cost of an operation."""

    weight: str


@strawberry.schema_directive(locations=[Location.FIELD_DEFINITION], name="listSize")
class ListSize:
    """The maximum length of a list, or the arguments that determine it. Unset arguments are not printed."""

    assumed_size: int | None = strawberry.UNSET
    slicing_arguments: list[str] | None = strawberry.UNSET
    sized_fields: list[str] | None = strawberry.UNSET
    require_one_slicing_argument: bool | None = True

    @classmethod
    def of(cls, **arguments: Any) -> "ListSize":
        """Return a directive with these arguments. No other arguments are printed."""
        return cls(**{"require_one_slicing_argument": strawberry.UNSET, **arguments})


def assign(schema: GraphQLSchema, declared: SchemaDeclarations) -> None:
    """Set the directives on the fields of this schema only, for printing and for the cost analysis."""
    for coordinate, names in declared.sized_fields.items():
        type_name, _, field_name = coordinate.partition(".")
        type_ = schema.type_map[type_name].fields[field_name].type  # type: ignore[attr-defined]
        payload: GraphQLNamedType = named_type(type_)
        payload.extensions = {**payload.extensions, _SIZED_FIELDS: frozenset(names)}
    for named in schema.type_map.values():
        if not isinstance(named, GraphQLObjectType) or named.name.startswith("__"):
            continue
        for name, field in named.fields.items():
            directives: list[Cost | ListSize] = []
            weight = declared.weights.get(f"{named.name}.{name}", declared.weights.get(f"*.{name}"))
            if weight is None and named is schema.mutation_type:
                weight = MUTATION_WEIGHT
            if weight is not None:
                directives.append(Cost(weight=f"{weight:.1f}"))
            size = None if name in sized_fields_of(named) else _size(declared, named.name, name, field)
            if size is not None:
                directives.append(size)
            definition = field.extensions.get(_DEFINITION)
            if definition is not None and directives:
                definition = copy(definition)  # schemas share the original
                definition.directives = directives
                field.extensions = {**field.extensions, _DEFINITION: definition}


def weight_of(field: GraphQLField) -> float:
    """Return the weight of a field: the assigned weight, or the default of the specification."""
    for directive in _directives(field):
        if isinstance(directive, Cost):
            return float(directive.weight)
    return 0.0 if is_leaf_type(named_type(field.type)) else 1.0


def size_of(field: GraphQLField) -> ListSize | None:
    """Return the `@listSize` of a field, if it has one."""
    return next((directive for directive in _directives(field) if isinstance(directive, ListSize)), None)


def sized_fields_of(named: GraphQLNamedType) -> frozenset[str]:
    """Return the fields of a type, such as a connection, whose list size the field above determines."""
    declared: frozenset[str] | None = named.extensions.get(_SIZED_FIELDS)
    if declared is not None:
        return declared
    return _SIZED if named.name.endswith("Connection") else frozenset()


def has_commands(size: ListSize | None) -> bool:
    """Return whether a list of commands in an input determines the size. Then the weight of the field is for one."""
    return any("." in argument for argument in (size and size.slicing_arguments) or ())


def _directives(field: GraphQLField) -> list[object]:
    definition = field.extensions.get(_DEFINITION)
    return list(definition.directives) if definition is not None else []


def _size(declared: SchemaDeclarations, type_name: str, name: str, field: GraphQLField) -> ListSize | None:
    slicing = [argument for argument in ("first", "last") if argument in field.args]
    is_list = isinstance(get_nullable_type(field.type), GraphQLList)
    if slicing:
        # By section 9.2.4, a size is assumed only if no slicing argument has a default.
        has_default = any(isinstance(field.args[argument].default_value, int) for argument in slicing)
        return ListSize.of(
            assumed_size=strawberry.UNSET if has_default else DEFAULT_PAGE,
            slicing_arguments=slicing,
            # A list has the size itself. A connection has fields with it.
            sized_fields=strawberry.UNSET if is_list else sorted(_SIZED),
            require_one_slicing_argument=False,
        )
    coordinate = f"{type_name}.{name}"
    # The specification only allows numbers as slicing arguments; Apollo's version also allows lists.
    if coordinate in declared.list_arguments:
        return ListSize.of(
            slicing_arguments=[declared.list_arguments[coordinate]],
            sized_fields=list(declared.sized_fields.get(coordinate, ())) or strawberry.UNSET,
        )
    if not is_list or is_leaf_type(named_type(field.type)):
        return None
    return ListSize.of(
        assumed_size=declared.sizes.get(coordinate, declared.sizes.get(f"*.{name}", ASSUMED_SIZE))
    )
