"""A requested field, and the arguments with which its resolver is called.

Arguments without variables are converted once for a plan. If variables have values that conversion leaves as they are,
only these values are replaced in the arguments of an earlier execution.
"""

from dataclasses import dataclass
from enum import Enum
from types import NoneType
from typing import Any, Final

from graphql import (
    ArgumentNode,
    FieldNode,
    GraphQLBoolean,
    GraphQLField,
    GraphQLID,
    GraphQLInt,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    ListValueNode,
    ObjectValueNode,
    ValueNode,
    VariableNode,
)
from graphql.execution.values import VariableValues, get_argument_values
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField

from ledgerpress.graphql.compiled.execution_state import Execution, PathNode, path_of

_IMMUTABLE: Final = frozenset({str, int, float, bool, NoneType})
_UNCONVERTED: Final = frozenset({str, int, bool})
_UNCONVERTED_TYPES: Final = frozenset({GraphQLString, GraphQLID, GraphQLInt, GraphQLBoolean})
_NO_VARIABLES: Final = VariableValues({}, {})


@dataclass(frozen=True, slots=True, eq=False)
class RequestedField:
    """A requested field: `nodes` are the nodes of the document that request it under the response key `key`."""

    schema: GraphQLSchema
    parent: GraphQLObjectType
    key: str
    definition: GraphQLField
    nodes: list[FieldNode]
    hide_suggestions: bool

    def info(self, path: PathNode, execution: Execution) -> Any:
        """Return the info that resolvers receive about an execution."""
        return execution.executor.build_resolve_info(self.definition, self.nodes, self.parent, path_of(path))

    def arguments(self, variables: VariableValues) -> dict[str, Any]:
        """Return the values of the arguments. Raises `GraphQLError` if one is invalid."""
        if not self.definition.args:
            return {}
        return get_argument_values(
            self.definition, self.nodes[0], variables, None, hide_suggestions=self.hide_suggestions
        )


class ResolverArguments:
    """The arguments of a resolver, by their Python names."""

    def __init__(
        self, requested: RequestedField, field: StrawberryField, converter: GraphQLCoreConverter
    ) -> None:
        self._requested = requested
        self._field = field
        self._converter = converter
        self._constant = _constant_arguments(requested)
        self._variables = _variables_of_arguments(requested, field, converter.config)
        self._always: dict[str, Any] | None = None
        self._former: dict[str, Any] | None = None
        self._slot = id(self)

    def of(self, execution: Execution) -> dict[str, Any]:
        """Return the arguments in an execution, which the caller MUST NOT change. Raises an exception if one is invalid."""
        if self._always is not None:
            return self._always
        arguments = execution.arguments.get(self._slot)
        if arguments is not None:
            return arguments
        coerced = execution.variables.coerced
        values: dict[str, Any] = {}
        if all(type(coerced.get(variable)) in _UNCONVERTED for _, variable in self._variables):
            values = {name: coerced[variable] for name, variable in self._variables}
        if values and self._former is not None:
            arguments = execution.arguments[self._slot] = self._former | values
            return arguments
        return self._converted(execution, values)

    def _converted(self, execution: Execution, values: dict[str, Any]) -> dict[str, Any]:
        constant, converter = self._constant, self._converter
        arguments = convert_arguments(
            self._requested.arguments(execution.variables) if constant is None else constant,
            self._field.arguments,
            converter.scalar_registry,
            converter.config,
        )
        if all(type(value) in _IMMUTABLE or isinstance(value, Enum) for value in arguments.values()):
            execution.arguments[self._slot] = arguments
            if constant is not None:
                self._always = arguments
            elif values:
                self._former = arguments
        return arguments


def _variables_of_arguments(
    requested: RequestedField, field: StrawberryField, config: StrawberryConfig
) -> tuple[tuple[str, str], ...]:
    """Return the Python names of the arguments that are variables, with the names of the variables.

    It is empty if a variable is part of another value, or belongs to an argument whose values are converted.
    """
    python_names = {
        config.name_converter.from_argument(argument): argument.python_name for argument in field.arguments
    }
    names: list[tuple[str, str]] = []
    for argument in requested.nodes[0].arguments or ():
        if not _has_variable(argument):
            continue
        definition = requested.definition.args[argument.name.value]
        type_ = definition.type.of_type if isinstance(definition.type, GraphQLNonNull) else definition.type
        if not isinstance(argument.value, VariableNode) or type_ not in _UNCONVERTED_TYPES:
            return ()
        names.append((python_names[argument.name.value], argument.value.name.value))
    return tuple(names)


def _constant_arguments(requested: RequestedField) -> dict[str, Any] | None:
    """Return the values of arguments without variables, `None` if there are variables or a value is invalid."""
    if any(_has_variable(argument) for argument in requested.nodes[0].arguments or ()):
        return None
    try:
        return requested.arguments(_NO_VARIABLES)
    except Exception:  # noqa: BLE001 - raised again when the field is executed
        return None


def _has_variable(node: ArgumentNode | ValueNode) -> bool:
    match node:
        case VariableNode():
            return True
        case ArgumentNode(value=value):
            return _has_variable(value)
        case ListValueNode(values=values):
            return any(map(_has_variable, values))
        case ObjectValueNode(fields=fields):
            return any(_has_variable(field.value) for field in fields)
        case _:
            return False
