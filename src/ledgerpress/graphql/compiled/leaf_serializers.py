"""Serialize scalars and enums."""

from collections.abc import Callable
from enum import Enum
from typing import Any, Final, TypeAlias

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLString,
    Undefined,
)
from graphql.execution.executor import Executor
from graphql.type import GRAPHQL_MAX_INT, GRAPHQL_MIN_INT
from strawberry.schema.schema_converter import CustomGraphQLEnumType

from ledgerpress.graphql.compiled.execution import check_value

LeafSerializer: TypeAlias = Callable[[Any], Any]
"""Serializes a value; `None` for null."""

_IDENTITY_CLASSES: Final[dict[object, type]] = {GraphQLString: str, GraphQLID: str, GraphQLBoolean: bool}


def identity_class(type_: GraphQLLeafType) -> type | None:
    """Return the class whose values a leaf type serializes to themselves, if there is one."""
    return _IDENTITY_CLASSES.get(type_)


def leaf_serializer(type_: GraphQLLeafType) -> LeafSerializer:
    """Return the serializer of a leaf type."""

    def any_value(value: Any) -> Any:
        if value is None or value is Undefined:
            return None
        check_value(value)
        return Executor.complete_leaf_value(type_, value)

    if (kind := identity_class(type_)) is not None:
        return lambda value: value if type(value) is kind else any_value(value)
    if type_ is GraphQLInt:
        return lambda value: (
            value if type(value) is int and GRAPHQL_MIN_INT <= value <= GRAPHQL_MAX_INT else any_value(value)
        )
    if isinstance(type_, GraphQLEnumType):
        return _enum(type_, any_value)
    return any_value


def _enum(type_: GraphQLEnumType, any_value: LeafSerializer) -> LeafSerializer:
    """Serialize an enum by a table of its members' names: strawberry searches for each value."""
    members = type_.wrapped_cls if isinstance(type_, CustomGraphQLEnumType) else None
    if members is None or not issubclass(members, Enum):
        return any_value
    names: dict[Any, str] = {}

    def member(value: Any) -> Any:
        if type(value) is not members:
            return any_value(value)
        name = names.get(value)
        if name is None:
            name = names[value] = any_value(value)
        return name

    return member
