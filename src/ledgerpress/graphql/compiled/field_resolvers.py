"""How a field is resolved: as an attribute, by a strawberry resolver called directly, or by `field.resolve`.

The first two are used only if `resolve` is strawberry's own function, or the check of a permission before such a
function (`access_control.Guard`). Any other function is always called.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from types import NoneType
from typing import Any, Final, TypeAlias

from graphql import (
    ArgumentNode,
    FieldNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    ListValueNode,
    ObjectValueNode,
    Undefined,
    ValueNode,
    VariableNode,
    is_required_argument,
)
from graphql.execution.executor import default_field_resolver
from graphql.execution.values import VariableValues, get_argument_values
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types import Info
from strawberry.types.field import StrawberryField

from ledgerpress.graphql.access_control import GUARDED, guard_of
from ledgerpress.graphql.compiled.execution_state import (
    Execution,
    PathNode,
    Unsupported,
    check_value,
    path_of,
)
from ledgerpress.graphql.compiled.input_conversion import UnknownInput, arguments_conversion

Resolver: TypeAlias = Callable[[Any, PathNode, Execution], Any]

_ATTRIBUTE: Final = "GraphQLCoreConverter.from_resolver.<locals>._get_basic_result"
_RESOLVER: Final = "GraphQLCoreConverter.from_resolver.<locals>._resolver"
_ASYNC_RESOLVER: Final = "GraphQLCoreConverter.from_resolver.<locals>._async_resolver"
_IMMUTABLE: Final = frozenset({str, int, float, bool, NoneType})
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


class _LazyInfo(Info[Any, Any]):
    """The info of a resolver. graphql-core's info is built only if the resolver needs more than its context."""

    def __init__(
        self, requested: RequestedField, path: PathNode, execution: Execution, field: StrawberryField
    ) -> None:
        self._requested, self._path, self._execution, self._field = requested, path, execution, field

    @cached_property
    def _raw_info(self) -> Any:  # type: ignore[override]
        return self._requested.info(self._path, self._execution)

    @property
    def context(self) -> Any:
        return self._execution.context

    @property
    def schema(self) -> Any:
        return self._requested.schema._strawberry_schema  # type: ignore[attr-defined]


def attribute_of(requested: RequestedField) -> str | None:
    """Return the name of the attribute that a field reads, `None` if it does more than that."""
    definition = requested.definition
    if definition.extensions.get(GUARDED):
        return None
    field = _strawberry_field(definition, definition.resolve, _ATTRIBUTE)
    return field.python_name if field and field.default_resolver is getattr else None


def resolver_of(requested: RequestedField, *, may_wait: bool = False) -> Resolver:
    """Return the resolver of a field. With `may_wait`, its value may have to be awaited, and the caller checks it."""
    definition = requested.definition
    guard = guard_of(definition)
    if guard is not None or not definition.extensions.get(GUARDED):
        resolve = guard.resolve if guard else definition.resolve
        field = _strawberry_field(
            definition, resolve, *((_RESOLVER, _ASYNC_RESOLVER) if may_wait else (_RESOLVER,))
        )
        if field is not None and field.base_resolver and not field.extensions:
            try:
                return _called_directly(
                    requested, field, may_wait=may_wait, check=guard.check if guard else None
                )
            except UnknownInput:
                pass
    backref = definition.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if isinstance(backref, StrawberryField) and backref.is_async and not may_wait:
        raise Unsupported("an asynchronous resolver")
    resolve = definition.resolve or default_field_resolver

    def resolver(source: Any, path: PathNode, execution: Execution) -> Any:
        arguments = requested.arguments(execution.variables)
        value = resolve(source, requested.info(path, execution), **arguments)
        if not may_wait:
            check_value(value)
        return value

    return resolver


def _strawberry_field(
    definition: GraphQLField, resolve: Callable[..., Any] | None, *qualified_names: str
) -> StrawberryField | None:
    """Return the strawberry field if `resolve` is strawberry's own function with one of these qualified names."""
    code = getattr(resolve, "__code__", None)
    field = definition.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if code is None or code.co_qualname not in qualified_names or not isinstance(field, StrawberryField):
        return None
    return field


def _called_directly(
    requested: RequestedField,
    field: StrawberryField,
    *,
    may_wait: bool,
    check: Callable[[Any, Any], None] | None,
) -> Resolver:
    """Call a resolver as strawberry does, after `check`. Convert immutable arguments only once per execution.

    Raises `UnknownInput` if only strawberry can convert the arguments.
    """
    base = field.base_resolver
    strawberry_schema = requested.schema._strawberry_schema  # type: ignore[attr-defined]
    converter: GraphQLCoreConverter = strawberry_schema.schema_converter
    info_class = converter.config.info_class
    if base is None or not callable(base.wrapped_func):
        raise Unsupported("a resolver that cannot be called")
    if converter._get_field_exception_handlers(field):
        raise Unsupported("handlers of exceptions")
    call: Callable[..., Any] = base.wrapped_func
    takes_self = base.self_parameter is not None
    as_source = [parameter.name for parameter in (base.parent_parameter, base.root_parameter) if parameter]
    as_info = base.info_parameter.name if base.info_parameter else None
    converted = _converted_arguments(requested, arguments_conversion(field.arguments, converter), check)
    is_method = takes_self and not (as_source or as_info or field.arguments)

    if is_method and check is None and not may_wait:

        def method(source: Any, path: PathNode, execution: Execution) -> Any:
            value = call(source)
            check_value(value)
            return value

        return method

    def resolver(source: Any, path: PathNode, execution: Execution) -> Any:
        kwargs = converted(source, execution)
        if as_info or as_source:
            kwargs = kwargs.copy()
            for name in as_source:
                kwargs[name] = source
            if as_info:
                kwargs[as_info] = (
                    _LazyInfo(requested, path, execution, field)
                    if info_class is Info
                    else info_class(_raw_info=requested.info(path, execution), _field=field)
                )
        value = call(source, **kwargs) if takes_self else call(**kwargs)
        if not may_wait:
            check_value(value)
        return value

    return resolver


def _converted_arguments(
    requested: RequestedField,
    convert: Callable[[dict[str, Any]], dict[str, Any]],
    check: Callable[[Any, Any], None] | None,
) -> Callable[[Any, Execution], dict[str, Any]]:
    """Return a function that returns the converted arguments of a field, after `check` if it is given.

    graphql-core coerces arguments before a resolver checks a permission, and strawberry converts them afterwards.
    """
    coerced_arguments, slot = _arguments(requested), id(requested)

    def converted(source: Any, execution: Execution) -> dict[str, Any]:
        kwargs = execution.arguments.get(slot)
        coerced = {} if kwargs is not None else coerced_arguments(execution.variables)
        if check is not None:
            check(source, execution.context.identity)
        if kwargs is not None:
            return kwargs
        kwargs = convert(coerced)
        if all(type(value) in _IMMUTABLE or isinstance(value, Enum) for value in kwargs.values()):
            execution.arguments[slot] = kwargs
        return kwargs

    return converted


def _arguments(requested: RequestedField) -> Callable[[VariableValues], dict[str, Any]]:
    """Return a function that returns the values of a field's arguments. It raises `GraphQLError` if one is invalid."""
    constant = _constant_arguments(requested)
    if constant is not None:
        return lambda _: constant
    variables = _variable_arguments(requested)
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


def _variable_arguments(requested: RequestedField) -> list[tuple[str, str]] | None:
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
