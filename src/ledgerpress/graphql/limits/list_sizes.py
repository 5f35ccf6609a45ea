"""The maximum length of a list, from `@listSize`, the arguments and the variables."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeAlias

from graphql import (
    BooleanValueNode,
    FieldNode,
    GraphQLField,
    GraphQLList,
    IntValueNode,
    ListValueNode,
    ObjectValueNode,
    ValueNode,
    VariableNode,
    get_nullable_type,
)

from ledgerpress.graphql.cost_directives import ASSUMED_SIZE, ListSize, has_commands
from ledgerpress.graphql.limits.exceeded import LimitExceeded, require
from ledgerpress.graphql.limits.settings import Limits

Variables: TypeAlias = Mapping[str, Any]
Size: TypeAlias = int | Callable[[Variables], int]


def list_size(
    node: FieldNode, field: GraphQLField, directive: ListSize | None, defaults: Variables, limits: Limits
) -> Size:
    """Return the size of the list that a field returns, or whose size it determines; 1 for other fields.

    If the size depends on variables or exceeds the limit of a page, it is a function of the variables. That function
    raises `LimitExceeded`.
    """
    if directive is None:
        return ASSUMED_SIZE if isinstance(get_nullable_type(field.type), GraphQLList) else 1
    arguments = {argument.name.value: argument.value for argument in node.arguments or ()}
    if has_commands(directive):
        return partial(_number_of_commands, directive.slicing_arguments or (), arguments, defaults, limits)
    slicing = {name: field.args[name].default_value for name in directive.slicing_arguments or ()}
    arguments = {name: value for name, value in arguments.items() if name in slicing}
    assumed = directive.assumed_size if isinstance(directive.assumed_size, int) else ASSUMED_SIZE

    def size(variables: Variables) -> int:
        sizes = []
        for name, default in slicing.items():
            value = value_of(arguments[name], variables) if name in arguments else None
            value = default if value is None else value
            if isinstance(value, list | tuple):
                sizes.append(len(value))
            elif isinstance(value, int | float):
                sizes.append(_checked(name, int(value), limits, arguments.get(name)))
        return max(sizes, default=assumed)

    if not any(isinstance(value, VariableNode) for value in arguments.values()):
        try:
            return size({})
        except LimitExceeded:
            return size
    return lambda variables: size({**defaults, **variables})


def _number_of_commands(
    paths: Iterable[str],
    arguments: Mapping[str, ValueNode],
    defaults: Variables,
    limits: Limits,
    variables: Variables,
) -> int:
    """Return the length of a list of commands in an input. Raises `LimitExceeded`."""
    number = 0
    for path in paths:
        root, *names = path.split(".")
        node = arguments.get(root)
        value = None if node is None else value_of(node, {**defaults, **variables})
        for name in names:
            value = value.get(name) if isinstance(value, Mapping) else None
        number += len(value) if isinstance(value, list | tuple) else 1
    limit = limits.bulk_commands
    require(number, limit, "TOO_MANY_COMMANDS", "The request has too many commands")
    return number


def value_of(node: ValueNode, variables: Variables) -> Any:
    """Return the value of an integer, a boolean, a list (with entries of `None`) or an object (without other values).

    Any other value is `None`.
    """
    match node:
        case VariableNode():
            return variables.get(node.name.value)
        case IntValueNode():
            return int(node.value)
        case BooleanValueNode():
            return node.value
        case ListValueNode():
            return [None] * len(node.values)
        case ObjectValueNode():
            return {field.name.value: value_of(field.value, variables) for field in node.fields}
        case _:
            return None


def _checked(name: str, size: int, limits: Limits, node: ValueNode | None) -> int:
    if size > limits.page_size:
        raise LimitExceeded(
            "PAGE_TOO_LARGE",
            f"{name} is {size}; it must be between 0 and {limits.page_size}.",
            limit=limits.page_size,
            actual=size,
            node=node,
        )
    return max(size, 0)  # the resolver rejects a negative size
