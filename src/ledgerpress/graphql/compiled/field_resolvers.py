"""How the value of a field is got: as an attribute, by a strawberry resolver called directly, or by `field.resolve`.

The short ways are taken only where `resolve` is strawberry's own: a function put in its place, such as one that
checks permissions, is always called.
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
from ledgerpress.graphql.compiled.execution import Execution, Place, Unsupported, path_of, vet

Resolver: TypeAlias = Callable[[Any, Place, Execution], Any]

_ATTRIBUTE: Final = "GraphQLCoreConverter.from_resolver.<locals>._get_basic_result"
_RESOLVER: Final = "GraphQLCoreConverter.from_resolver.<locals>._resolver"
_UNCHANGING: Final = frozenset({str, int, float, bool, NoneType})
_NO_VARIABLES: Final = VariableValues({}, {})


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A field that is asked for: `nodes` are the places of the document that ask for it as `key`."""

    schema: GraphQLSchema
    parent: GraphQLObjectType
    key: str
    definition: GraphQLField
    nodes: list[FieldNode]
    hide_suggestions: bool

    def info(self, place: Place, run: Execution) -> Any:
        """Return what resolvers are told of an execution."""
        return run.executor.build_resolve_info(self.definition, self.nodes, self.parent, path_of(place))

    def arguments(self, variables: VariableValues) -> dict[str, Any]:
        """Return the values of the arguments. Raises `GraphQLError`."""
        if not self.definition.args:
            return {}
        return get_argument_values(
            self.definition, self.nodes[0], variables, None, hide_suggestions=self.hide_suggestions
        )


def attribute_of(asked: Asked) -> str | None:
    """Return the name of the attribute that a field is, `None` where it is more than that."""
    field = _strawberry_field(asked, _ATTRIBUTE)
    return field.python_name if field and field.default_resolver is getattr else None


def resolver_of(asked: Asked) -> Resolver:
    """Return what gets a field's value."""
    field = _strawberry_field(asked, _RESOLVER)
    if field is not None and field.base_resolver and not field.extensions and not field.is_async:
        return _called_directly(asked, field)
    backref = asked.definition.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if isinstance(backref, StrawberryField) and backref.is_async:
        raise Unsupported("an asynchronous resolver")
    resolve = asked.definition.resolve or default_field_resolver

    def resolver(source: Any, place: Place, run: Execution) -> Any:
        value = resolve(source, asked.info(place, run), **asked.arguments(run.variables))
        vet(value)
        return value

    return resolver


def _strawberry_field(asked: Asked, wanted: str) -> StrawberryField | None:
    """Return the strawberry field whose `resolve` is, to the code, the `wanted` one of strawberry's own."""
    definition = asked.definition
    if definition.extensions.get(GUARDED):
        return None
    code = getattr(definition.resolve, "__code__", None)
    field = definition.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if code is None or code.co_qualname != wanted or not isinstance(field, StrawberryField):
        return None
    return field


def _called_directly(asked: Asked, field: StrawberryField) -> Resolver:
    """Call a resolver as strawberry does, but convert arguments that it cannot change once in an execution."""
    base = field.base_resolver
    strawberry_schema = asked.schema._strawberry_schema  # type: ignore[attr-defined]
    converter: GraphQLCoreConverter = strawberry_schema.schema_converter
    config = converter.config
    if base is None or not callable(base.wrapped_func):
        raise Unsupported("a resolver that cannot be called")
    if converter._get_field_exception_handlers(field):
        raise Unsupported("handlers of exceptions")
    call: Callable[..., Any] = base.wrapped_func
    takes_self = base.self_parameter is not None
    as_source = [one.name for one in (base.parent_parameter, base.root_parameter) if one]
    as_info = base.info_parameter.name if base.info_parameter else None
    always = _constant_arguments(asked)
    slot = id(asked)

    def converted(run: Execution) -> dict[str, Any]:
        coerced = asked.arguments(run.variables) if always is None else always
        kwargs = convert_arguments(coerced, field.arguments, converter.scalar_registry, config)
        if all(type(value) in _UNCHANGING or isinstance(value, Enum) for value in kwargs.values()):
            run.arguments[slot] = kwargs
        return kwargs

    if takes_self and not as_source and not as_info and not field.arguments:

        def method(source: Any, place: Place, run: Execution) -> Any:
            value = call(source)
            vet(value)
            return value

        return method

    def resolver(source: Any, place: Place, run: Execution) -> Any:
        kwargs = run.arguments.get(slot)
        if kwargs is None:
            kwargs = converted(run)
        if as_info or as_source:
            kwargs = kwargs.copy()
            for name in as_source:
                kwargs[name] = source
            if as_info:
                kwargs[as_info] = config.info_class(_raw_info=asked.info(place, run), _field=field)
        value = call(source, **kwargs) if takes_self else call(**kwargs)
        vet(value)
        return value

    return resolver


def _constant_arguments(asked: Asked) -> dict[str, Any] | None:
    """Return the values of arguments that name no variable, `None` where one does, or where a value is wrong."""
    if any(_has_variable(argument) for argument in asked.nodes[0].arguments or ()):
        return None
    try:
        return asked.arguments(_NO_VARIABLES)
    except Exception:  # noqa: BLE001 - raised again where the field is executed
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
            return any(_has_variable(one.value) for one in fields)
        case _:
            return False
