"""A requested field, and the arguments with which its resolver is called.

Arguments without variables are converted once for a plan. If variables have values that conversion leaves as they are,
only these values are replaced in the arguments of an earlier execution.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from types import NoneType
from typing import Any, Final, TypeAlias

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
    Undefined,
    ValueNode,
    VariableNode,
    is_required_argument,
)
from graphql.execution.values import VariableValues, get_argument_values
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField

from ledgerpress.graphql.compiled.execution_state import Execution, PathNode, path_of
from ledgerpress.graphql.compiled.input_conversion import arguments_conversion

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


PermissionCheck: TypeAlias = Callable[[Any, Any], None]
"""Raises an exception if an identity lacks the permission for a source object (`access_control.Guard`)."""


class ResolverArguments:
    """The arguments of a resolver, by their Python names.

    `check` is called between coercion and conversion: that is the order of graphql-core, a guard and strawberry.
    """

    def __init__(
        self,
        requested: RequestedField,
        field: StrawberryField,
        converter: GraphQLCoreConverter,
        check: PermissionCheck | None,
    ) -> None:
        """Raises `UnknownInput` if only strawberry can convert the arguments."""
        self._check = check
        self._coerced = _coerced_arguments(requested)
        self._convert = arguments_conversion(field.arguments, converter)
        self._is_constant = not any(
            _has_variable(argument) for argument in requested.nodes[0].arguments or ()
        )
        self._variables = _variables_of_arguments(requested, field, converter.config)
        self._always: dict[str, Any] | None = None
        self._former: dict[str, Any] | None = None
        """The arguments of an earlier execution, without those that are variables."""
        self._slot = id(self)

    def of(self, source: Any, execution: Execution) -> dict[str, Any]:
        """Return the arguments in an execution, which the caller MUST NOT change.

        Raises an exception if one is invalid, or if the permission for the source object is missing.
        """
        arguments = self._always
        if arguments is None:
            arguments = execution.arguments.get(self._slot)
        if arguments is None:
            return self._of_variables(source, execution)
        if self._check is not None:
            self._check(source, execution.context.identity)
        return arguments

    def _of_variables(self, source: Any, execution: Execution) -> dict[str, Any]:
        variables = execution.variables
        values: dict[str, Any] = {}
        if self._variables and all(
            type(variables.coerced.get(variable)) in _UNCONVERTED for _, variable in self._variables
        ):
            values = {name: variables.coerced[variable] for name, variable in self._variables}
        former = self._former if values else None
        coerced = self._coerced(variables) if former is None else {}
        if self._check is not None:
            self._check(source, execution.context.identity)
        if former is not None:
            arguments = execution.arguments[self._slot] = former | values
            return arguments
        arguments = self._convert(coerced)
        if all(type(value) in _IMMUTABLE or isinstance(value, Enum) for value in arguments.values()):
            execution.arguments[self._slot] = arguments
            if self._is_constant:
                self._always = arguments
            elif values:
                # A plan contains no data of a request.
                self._former = arguments | dict.fromkeys(values)
        return arguments


def _coerced_arguments(requested: RequestedField) -> Callable[[VariableValues], dict[str, Any]]:
    """Return a function that returns the values of a field's arguments. It raises `GraphQLError` if one is invalid."""
    constant = _constant_arguments(requested)
    if constant is not None:
        return lambda _: constant
    variables = _argument_variables(requested)
    if variables is None:
        return requested.arguments

    def arguments(values: VariableValues) -> dict[str, Any]:
        coerced = values.coerced
        try:
            by_name = {name: coerced[variable] for name, variable in variables}
        except KeyError:
            return requested.arguments(values)
        return requested.arguments(values) if None in by_name.values() else by_name

    return arguments


def _argument_variables(requested: RequestedField) -> list[tuple[str, str]] | None:
    """Return the names of arguments and of their variables, if each argument is a variable or has no value at all."""
    nodes = {node.name.value: node.value for node in requested.nodes[0].arguments or ()}
    variables = []
    for name, argument in requested.definition.args.items():
        node = nodes.get(name)
        if isinstance(node, VariableNode):
            variables.append((argument.out_name or name, node.name.value))
        elif (
            node is not None
            or is_required_argument(argument)
            or argument.default is not None
            or argument.default_value is not Undefined
        ):
            return None
    return variables


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
