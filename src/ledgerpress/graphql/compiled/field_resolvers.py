"""How a field is resolved: as an attribute, by a strawberry resolver called directly, or by `field.resolve`.

The first two are used only if `resolve` is strawberry's own function, or the check of a permission before such a
function (`access_control.Guard`). Any other function is always called.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any, Final, TypeAlias

from graphql import GraphQLField
from graphql.execution.executor import default_field_resolver
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField
from strawberry.types.info import Info

from ledgerpress.graphql.access_control import GUARDED, guard_of
from ledgerpress.graphql.compiled.arguments import PermissionCheck, RequestedField, ResolverArguments
from ledgerpress.graphql.compiled.execution_state import (
    Execution,
    PathNode,
    Unsupported,
    check_value,
)
from ledgerpress.graphql.compiled.input_conversion import UnknownInput

Resolver: TypeAlias = Callable[[Any, PathNode, Execution], Any]

_ATTRIBUTE: Final = "GraphQLCoreConverter.from_resolver.<locals>._get_basic_result"
_RESOLVER: Final = "GraphQLCoreConverter.from_resolver.<locals>._resolver"
_ASYNC_RESOLVER: Final = "GraphQLCoreConverter.from_resolver.<locals>._async_resolver"


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
        names = (_RESOLVER, _ASYNC_RESOLVER) if may_wait else (_RESOLVER,)
        field = _strawberry_field(definition, resolve, *names)
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


def method_of(requested: RequestedField) -> Callable[[Any], Any] | None:
    """Return the function of a field that needs nothing but the object; `None` if the field does more than call it."""
    definition = requested.definition
    if definition.extensions.get(GUARDED):
        return None
    field = _strawberry_field(definition, definition.resolve, _RESOLVER)
    base = field.base_resolver if field and not field.extensions and not field.is_async else None
    if field is None or base is None or field.arguments or not base.self_parameter:
        return None
    strawberry_schema = requested.schema._strawberry_schema  # type: ignore[attr-defined]
    others = (base.parent_parameter, base.root_parameter, base.info_parameter)
    if any(others) or strawberry_schema.schema_converter._get_field_exception_handlers(field):
        return None
    return base.wrapped_func if callable(base.wrapped_func) else None


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
    check: PermissionCheck | None,
) -> Resolver:
    """Call a resolver as strawberry does, without its checks, which have the same result each time, but after `check`.

    Raises `UnknownInput` if only strawberry can convert the arguments.
    """
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
    arguments = ResolverArguments(requested, field, converter, check)

    def resolver(source: Any, path: PathNode, execution: Execution) -> Any:
        kwargs = arguments.of(source, execution)
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
        if not may_wait:
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

    @property
    def schema(self) -> Any:
        return self._requested.schema._strawberry_schema  # type: ignore[attr-defined]

    @cached_property
    def _raw_info(self) -> Any:  # type: ignore[override]
        return self._requested.info(self._path, self._execution)
