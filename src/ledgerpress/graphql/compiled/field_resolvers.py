"""How a field is resolved: as an attribute, by a strawberry resolver called directly, or by `field.resolve`.

The first two are used only if `resolve` is strawberry's own function. Any other function, such as one that checks
permissions, is always called.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any, Final, TypeAlias

from graphql.execution.executor import default_field_resolver
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField
from strawberry.types.info import Info

from ledgerpress.graphql.access_control import GUARDED
from ledgerpress.graphql.compiled.arguments import RequestedField, ResolverArguments
from ledgerpress.graphql.compiled.execution_state import (
    Execution,
    PathNode,
    Unsupported,
    check_value,
)

Resolver: TypeAlias = Callable[[Any, PathNode, Execution], Any]

_ATTRIBUTE: Final = "GraphQLCoreConverter.from_resolver.<locals>._get_basic_result"
_RESOLVER: Final = "GraphQLCoreConverter.from_resolver.<locals>._resolver"


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


def method_of(requested: RequestedField) -> Callable[[Any], Any] | None:
    """Return the function of a field that needs nothing but the object; `None` if the field does more than call it."""
    field = _strawberry_field(requested, _RESOLVER)
    base = field.base_resolver if field and not field.extensions and not field.is_async else None
    if field is None or base is None or field.arguments or not base.self_parameter:
        return None
    strawberry_schema = requested.schema._strawberry_schema  # type: ignore[attr-defined]
    others = (base.parent_parameter, base.root_parameter, base.info_parameter)
    if any(others) or strawberry_schema.schema_converter._get_field_exception_handlers(field):
        return None
    return base.wrapped_func if callable(base.wrapped_func) else None


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
    """Call a resolver as strawberry does, without its checks, which have the same result each time."""
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
    has_own_info = config.info_class is Info
    arguments = ResolverArguments(requested, field, converter)

    def resolver(source: Any, path: PathNode, execution: Execution) -> Any:
        kwargs = arguments.of(execution)
        if as_info or as_source:
            kwargs = kwargs.copy()
            for name in as_source:
                kwargs[name] = source
            if as_info:
                kwargs[as_info] = (
                    _DirectInfo(requested, path, execution, field)
                    if has_own_info
                    else config.info_class(_raw_info=requested.info(path, execution), _field=field)
                )
        value = call(source, **kwargs) if takes_self else call(**kwargs)
        check_value(value)
        return value

    return resolver


class _DirectInfo(Info[Any, Any]):
    """The info of a resolver. graphql-core's info, which it wraps, is created only if a resolver uses more than this."""

    def __init__(
        self, requested: RequestedField, path: PathNode, execution: Execution, field: StrawberryField
    ) -> None:
        self._field = field
        self._requested = requested
        self._path = path
        self._execution = execution

    @property
    def context(self) -> Any:
        return self._execution.context

    @cached_property
    def _raw_info(self) -> Any:  # type: ignore[override]
        return self._requested.info(self._path, self._execution)
