"""How a field is resolved: as an attribute, by a strawberry resolver called directly, or by `field.resolve`.

The first two are used only if `resolve` is strawberry's own function. Any other function, such as one that checks
permissions, is always called.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
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
    ValueNode,
    VariableNode,
)
from graphql.execution.executor import default_field_resolver
from graphql.execution.values import VariableValues, get_argument_values
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField

from ledgerpress.graphql.access_control import GUARDED
from ledgerpress.graphql.compiled.execution_state import (
    Execution,
    PathNode,
    Unsupported,
    check_value,
    path_of,
)

Resolver: TypeAlias = Callable[[Any, PathNode, Execution], Any]

_ATTRIBUTE: Final = "GraphQLCoreConverter.from_resolver.<locals>._get_basic_result"
_RESOLVER: Final = "GraphQLCoreConverter.from_resolver.<locals>._resolver"
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


def attribute_of(requested: RequestedField) -> str | None:
    """Return the name of the attribute that a field reads, `None` if it does more than that."""
    field = _strawberry_field(requested, _ATTRIBUTE)
    return field.python_name if field and field.default_resolver is getattr else None


def resolver_of(requested: RequestedField) -> Resolver:
    field = _strawberry_field(requested, _RESOLVER)
    if field is not None and field.base_resolver and not field.extensions and not field.is_async:
        return _called_directly(requested, field)
    backref = requested.definition.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if isinstance(backref, StrawberryField) and backref.is_async:
        raise Unsupported("an asynchronous resolver")
    resolve = requested.definition.resolve or default_field_resolver

    def resolver(source: Any, path: PathNode, execution: Execution) -> Any:
        value = resolve(source, requested.info(path, execution), **requested.arguments(execution.variables))
        check_value(value)
        return value

    return resolver


def _strawberry_field(requested: RequestedField, qualified_name: str) -> StrawberryField | None:
    """Return the strawberry field if its `resolve` is strawberry's own function with this qualified name."""
    definition = requested.definition
    if definition.extensions.get(GUARDED):
        return None
    code = getattr(definition.resolve, "__code__", None)
    field = definition.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if code is None or code.co_qualname != qualified_name or not isinstance(field, StrawberryField):
        return None
    return field


def _called_directly(requested: RequestedField, field: StrawberryField) -> Resolver:
    """Call a resolver as strawberry does, but convert immutable arguments only once per execution."""
    base = field.base_resolver
    strawberry_schema = requested.schema._strawberry_schema  # type: ignore[attr-defined]
    converter: GraphQLCoreConverter = strawberry_schema.schema_converter
    config = converter.config
    if base is None or not callable(base.wrapped_func):
        raise Unsupported("a resolver that cannot be called")
    if converter._get_field_exception_handlers(field):
        raise Unsupported("handlers of exceptions")
    call: Callable[..., Any] = base.wrapped_func
    takes_self = base.self_parameter is not None
    as_source = [parameter.name for parameter in (base.parent_parameter, base.root_parameter) if parameter]
    as_info = base.info_parameter.name if base.info_parameter else None
    constant = _constant_arguments(requested)
    slot = id(requested)

    def converted(execution: Execution) -> dict[str, Any]:
        coerced = requested.arguments(execution.variables) if constant is None else constant
        kwargs = convert_arguments(coerced, field.arguments, converter.scalar_registry, config)
        if all(type(value) in _IMMUTABLE or isinstance(value, Enum) for value in kwargs.values()):
            execution.arguments[slot] = kwargs
        return kwargs

    if takes_self and not as_source and not as_info and not field.arguments:

        def method(source: Any, path: PathNode, execution: Execution) -> Any:
            value = call(source)
            check_value(value)
            return value

        return method

    def resolver(source: Any, path: PathNode, execution: Execution) -> Any:
        kwargs = execution.arguments.get(slot)
        if kwargs is None:
            kwargs = converted(execution)
        if as_info or as_source:
            kwargs = kwargs.copy()
            for name in as_source:
                kwargs[name] = source
            if as_info:
                kwargs[as_info] = config.info_class(_raw_info=requested.info(path, execution), _field=field)
        value = call(source, **kwargs) if takes_self else call(**kwargs)
        check_value(value)
        return value

    return resolver


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
