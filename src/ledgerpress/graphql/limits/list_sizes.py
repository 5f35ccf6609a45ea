"""How long a list is at most, told from `@listSize`, the arguments and the variables."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from graphql import (
    BooleanValueNode,
    FieldNode,
    GraphQLField,
    GraphQLList,
    IntValueNode,
    ListValueNode,
    ValueNode,
    VariableNode,
    get_nullable_type,
)

from ledgerpress.graphql.cost_directives import ASSUMED_SIZE, ListSize
from ledgerpress.graphql.limits.exceeded import LimitExceeded
from ledgerpress.graphql.limits.settings import Limits

Variables: TypeAlias = Mapping[str, Any]
Size: TypeAlias = int | Callable[[Variables], int]


def list_size(
    node: FieldNode, field: GraphQLField, said: ListSize | None, defaults: Variables, limits: Limits
) -> Size:
    """Return the size of the list that a field gives, or says the size of; 1 for what is no list.

    With variables in it, or more than a page may have, it is a function; that raises `LimitExceeded`.
    """
    if said is None:
        return ASSUMED_SIZE if isinstance(get_nullable_type(field.type), GraphQLList) else 1
    slicing = {name: field.args[name].default_value for name in said.slicing_arguments or ()}
    given = {one.name.value: one.value for one in node.arguments or () if one.name.value in slicing}
    assumed = said.assumed_size if isinstance(said.assumed_size, int) else ASSUMED_SIZE

    def size(variables: Variables) -> int:
        found = []
        for name, default in slicing.items():
            value = value_of(given[name], variables) if name in given else None
            value = default if value is None else value
            if isinstance(value, list | tuple):
                found.append(len(value))
            elif isinstance(value, int | float):
                found.append(_checked(name, int(value), limits, given.get(name)))
        return max(found, default=assumed)

    if not any(_has_variable(one) for one in given.values()):
        try:
            return size({})
        except LimitExceeded:
            return size
    return lambda variables: size({**defaults, **variables})


def value_of(node: ValueNode, variables: Variables) -> Any:
    """Return what a number, a list or a boolean comes to; `None` for anything else. A list's entries are not told."""
    match node:
        case VariableNode():
            return variables.get(node.name.value)
        case IntValueNode():
            return int(node.value)
        case BooleanValueNode():
            return node.value
        case ListValueNode():
            return [None] * len(node.values)
        case _:
            return None


def _has_variable(node: ValueNode) -> bool:
    return isinstance(node, VariableNode)


def _checked(name: str, size: int, limits: Limits, node: ValueNode | None) -> int:
    if size > limits.page_size:
        raise LimitExceeded(
            "PAGE_TOO_LARGE",
            f"{name} is {size}; it must lie between 0 and {limits.page_size}.",
            limit=limits.page_size,
            found=size,
            node=node,
        )
    return max(size, 0)  # a negative one is the resolver's to refuse
