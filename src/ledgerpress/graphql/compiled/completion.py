"""How values are completed: lists, objects and abstract types (specification, section 6.4.3)."""

from collections.abc import Callable
from typing import Any, TypeAlias

from graphql import (
    GraphQLError,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    Undefined,
    is_abstract_type,
    is_leaf_type,
)
from graphql.execution.collect_fields import FieldDetailsList
from graphql.execution.executor import default_type_resolver, invalid_return_type_error
from graphql.pyutils import is_async_iterable, is_iterable

from ledgerpress.graphql.compiled.execution import Execution, Field, Place, Unsupported, vet
from ledgerpress.graphql.compiled.field_resolvers import Asked
from ledgerpress.graphql.compiled.leaf_serializers import leaf

Completer: TypeAlias = Callable[[Any, Place, Execution, Any], Any]
"""Completes a value at a place, `None` for none; the last argument is what resolvers are told, where that is needed."""
SubFields: TypeAlias = Callable[[GraphQLObjectType], tuple[tuple[str, Field], ...]]
"""Returns the functions of the fields that are asked for of a type, by the keys of the answer."""


def completer(
    type_: GraphQLOutputType, asked: Asked, group: FieldDetailsList, fields: SubFields
) -> Completer:
    """Return what completes values of a type, null allowed or not: that is for whoever knows the place."""
    if isinstance(type_, GraphQLNonNull):
        return completer(type_.of_type, asked, group, fields)
    if isinstance(type_, GraphQLList):
        return _list(type_, asked, completer(type_.of_type, asked, group, fields))
    if is_leaf_type(type_):
        put_out = leaf(type_)
        return lambda value, _place, _run, _info: put_out(value)
    if isinstance(type_, GraphQLObjectType):
        return _object(type_, group, fields)
    return _abstract(type_, asked, group, fields)


def needs_info(type_: GraphQLOutputType) -> bool:
    """Return whether completing values of a type asks functions of the schema, which are told of the execution."""
    while isinstance(type_, GraphQLNonNull | GraphQLList):
        type_ = type_.of_type
    return is_abstract_type(type_) or (isinstance(type_, GraphQLObjectType) and _asks(type_))


def no_null(asked: Asked) -> TypeError:
    """Return the error of a null that may not be."""
    name = asked.nodes[0].name.value
    return TypeError(f"Cannot return null for non-nullable field {asked.parent}.{name}.")


def _list(type_: GraphQLList[Any], asked: Asked, complete: Completer) -> Completer:
    non_null = isinstance(type_.of_type, GraphQLNonNull)
    nodes = asked.nodes

    def complete_list(value: Any, place: Place, run: Execution, info: Any) -> Any:
        if value is None or value is Undefined:
            return None
        if type(value) is not list:
            vet(value)
            if is_async_iterable(value):
                raise Unsupported("an asynchronous list")
            if not is_iterable(value):
                name = f"{asked.parent}.{nodes[0].name.value}"
                raise GraphQLError(f"Expected Iterable, but did not find one for field '{name}'.")
        timed = run.deadline is not None
        completed = []
        for index, item in enumerate(value):
            here: Place = (place, index, None)
            if timed:
                run.check_time()
            try:
                one = complete(item, here, run, info)
                if one is None and non_null:
                    raise no_null(asked)
            except Exception as error:  # noqa: BLE001 - whatever a resolver raises stands in the answer
                run.fail(error, nodes, here, non_null=non_null)
                one = None
            completed.append(one)
        return completed

    return complete_list


def _object(type_: GraphQLObjectType, group: FieldDetailsList, fields: SubFields) -> Completer:
    is_type_of = type_.is_type_of
    own = _own_class(type_)
    # Compiled when an object comes first: a document may ask for far more than there is.
    compiled: tuple[tuple[str, Field], ...] | None = None

    def complete_object(value: Any, place: Place, run: Execution, info: Any) -> Any:
        nonlocal compiled
        if value is None or value is Undefined:
            return None
        vet(value)
        if is_type_of is not None and (type(value) is not own or hasattr(value, _CAST)):
            found = is_type_of(value, info)
            vet(found)
            if not found:
                raise invalid_return_type_error(type_, value, group)
        if compiled is None:
            compiled = fields(type_)
        return {key: field(value, place, run) for key, field in compiled}

    return complete_object


def _abstract(type_: Any, asked: Asked, group: FieldDetailsList, fields: SubFields) -> Completer:
    resolve_type = type_.resolve_type or default_type_resolver
    known: dict[str, Completer] = {}

    def complete_abstract(value: Any, place: Place, run: Execution, info: Any) -> Any:
        if value is None or value is Undefined:
            return None
        vet(value)
        name = resolve_type(value, info, type_)
        vet(name)
        complete = known.get(name) if type(name) is str else None
        if complete is None:
            object_type = run.executor.ensure_valid_runtime_type(name, type_, group, info, value)
            complete = known[object_type.name] = _object(object_type, group, fields)
        return complete(value, place, run, info)

    return complete_abstract


_CAST = "__as_strawberry_type__"
_IS_TYPE_OF = "GraphQLCoreConverter.from_object.<locals>._get_is_type_of.<locals>.is_type_of"


def _own_class(type_: GraphQLObjectType) -> type | None:
    """Return the class whose objects strawberry's own `is_type_of` is known to accept, unless they were cast."""
    code = getattr(type_.is_type_of, "__code__", None)
    definition = type_.extensions.get("strawberry-definition")
    if code is None or code.co_qualname != _IS_TYPE_OF or definition is None:
        return None
    origin: type = definition.origin
    return origin


def _asks(type_: GraphQLObjectType) -> bool:
    """Whether a type's `is_type_of` may look at what it is told; strawberry's own does not."""
    return type_.is_type_of is not None and _own_class(type_) is None
