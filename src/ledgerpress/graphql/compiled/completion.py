"""Completion of values: scalars, enums, lists, objects and abstract types (specification, section 6.4.3)."""

from collections.abc import Callable
from enum import Enum
from time import monotonic
from typing import Any, Final, NamedTuple, TypeAlias

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLError,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    GraphQLString,
    Undefined,
    is_abstract_type,
    is_leaf_type,
    is_specified_scalar_type,
)
from graphql.execution.collect_fields import FieldDetailsList
from graphql.execution.executor import Executor, default_type_resolver, invalid_return_type_error
from graphql.pyutils import is_async_iterable, is_iterable
from graphql.type import GRAPHQL_MAX_INT, GRAPHQL_MIN_INT
from strawberry.schema.schema_converter import CustomGraphQLEnumType

from ledgerpress.graphql.compiled.arguments import RequestedField
from ledgerpress.graphql.compiled.execution_state import (
    PLAIN_CLASSES,
    DeadlineExceeded,
    Execution,
    PathNode,
    Unsupported,
    check_value,
)
from ledgerpress.graphql.compiled.object_fields import (
    SIMPLE_CLASSES,
    LeafSerializer,
    ObjectFields,
    PlainObject,
)

_IDENTITY_CLASSES: Final[dict[object, type]] = {GraphQLString: str, GraphQLID: str, GraphQLBoolean: bool}


def identity_class(type_: GraphQLLeafType) -> type | None:
    """Return the class whose values a leaf type serializes unchanged, if there is one."""
    return _IDENTITY_CLASSES.get(type_)


def custom_scalar(type_: GraphQLLeafType) -> LeafSerializer | None:
    """Return the function that serializes the values of a custom scalar, `None` for other types."""
    is_custom = isinstance(type_, GraphQLScalarType) and not is_specified_scalar_type(type_)
    return type_.coerce_output_value if is_custom else None


def leaf_serializer(type_: GraphQLLeafType) -> LeafSerializer:
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
    coerce = type_.coerce_output_value

    def scalar(value: Any) -> Any:
        if type(value) in SIMPLE_CLASSES:
            coerced = coerce(value)
            if coerced is not None and coerced is not Undefined:
                return coerced
        return any_value(value)

    return scalar


def _enum(type_: GraphQLEnumType, any_value: LeafSerializer) -> LeafSerializer:
    """Serialize an enum with a table of the names of its members: strawberry searches for each value."""
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


Completer: TypeAlias = Callable[[Any, PathNode, Execution, Any], Any]
"""Completes a value at a path; `None` for null. The last argument is the resolvers' info if `needs_info` is true."""
PlainList: TypeAlias = Callable[[list[Any], Execution], list[Any] | None]
"""Completes a list of objects that have only plain fields; `None` if the entries have to be completed one by one."""
SubFields: TypeAlias = Callable[[GraphQLObjectType], ObjectFields]
"""Returns the requested fields of a type as functions."""


class Completion(NamedTuple):
    """How values of a type are completed, and first, for lists of objects, lists of which all fields are plain."""

    complete: Completer
    plain: PlainList | None = None


def completion(
    type_: GraphQLOutputType, requested: RequestedField, group: FieldDetailsList, fields: SubFields
) -> Completion:
    """Return the completion of values of a type. It treats the type as nullable: the caller handles null."""
    if isinstance(type_, GraphQLNonNull):
        return completion(type_.of_type, requested, group, fields)
    if isinstance(type_, GraphQLList):
        entry = type_.of_type.of_type if isinstance(type_.of_type, GraphQLNonNull) else type_.of_type
        if isinstance(entry, GraphQLObjectType):
            complete, plain = _object(entry, group, fields)
            return Completion(_list(type_, requested, complete, plain), plain)
        return Completion(_list(type_, requested, completion(entry, requested, group, fields).complete, None))
    if is_leaf_type(type_):
        serialize = leaf_serializer(type_)
        return Completion(lambda value, _path, _execution, _info: serialize(value))
    if isinstance(type_, GraphQLObjectType):
        return Completion(_object(type_, group, fields)[0])
    return Completion(_abstract(type_, requested, group, fields))


def needs_info(type_: GraphQLOutputType) -> bool:
    """Return whether completion of a type calls functions of the schema that need the resolvers' info."""
    while isinstance(type_, GraphQLNonNull | GraphQLList):
        type_ = type_.of_type
    return is_abstract_type(type_) or (isinstance(type_, GraphQLObjectType) and _has_type_check(type_))


def null_error(requested: RequestedField) -> TypeError:
    name = requested.nodes[0].name.value
    return TypeError(f"Cannot return null for non-nullable field {requested.parent}.{name}.")


def _list(
    type_: GraphQLList[Any], requested: RequestedField, complete: Completer, plain: PlainList | None
) -> Completer:
    non_null = isinstance(type_.of_type, GraphQLNonNull)
    nodes = requested.nodes

    def complete_list(value: Any, path: PathNode, execution: Execution, info: Any) -> Any:
        if value is None or value is Undefined:
            return None
        if type(value) is not list:
            check_value(value)
            if is_async_iterable(value):
                raise Unsupported("an asynchronous list")
            if not is_iterable(value):
                name = f"{requested.parent}.{nodes[0].name.value}"
                raise GraphQLError(f"Expected Iterable, but did not find one for field '{name}'.")
        deadline = execution.deadline
        if plain is not None and type(value) is list and (entries := plain(value, execution)) is not None:
            return entries
        completed = []
        for index, item in enumerate(value):
            here: PathNode = (path, index, None)
            if deadline is not None and monotonic() >= deadline:
                raise DeadlineExceeded
            try:
                entry = complete(item, here, execution, info)
                if entry is None and non_null:
                    raise null_error(requested)
            except Exception as error:  # noqa: BLE001 - any exception of a resolver is in the response
                execution.fail(error, nodes, here, non_null=non_null)
                entry = None
            completed.append(entry)
        return completed

    return complete_list


def _object(
    type_: GraphQLObjectType, group: FieldDetailsList, fields: SubFields
) -> tuple[Completer, PlainList]:
    is_type_of = type_.is_type_of
    own = _own_class(type_)
    # Compiled for the first object: a document may request many fields of objects that do not exist.
    compiled: ObjectFields | None = None

    def complete_object(value: Any, path: PathNode, execution: Execution, info: Any) -> Any:
        nonlocal compiled
        if value is None or value is Undefined:
            return None
        if type(value) not in PLAIN_CLASSES:
            check_value(value)
        if is_type_of is not None and (type(value) is not own or hasattr(value, _CAST)):
            matches = is_type_of(value, info)
            check_value(matches)
            if not matches:
                raise invalid_return_type_error(type_, value, group)
        if compiled is None:
            compiled = fields(type_)
        return compiled.complete(value, path, execution)

    def complete_plain(values: list[Any], execution: Execution) -> list[Any] | None:
        read = None if compiled is None else compiled.plain
        return None if read is None else _plain_objects(values, own, read, execution)

    return complete_object, complete_plain


def _plain_objects(
    values: list[Any], own: type | None, read: PlainObject, execution: Execution
) -> list[Any] | None:
    """Complete a list of objects of the class `own` that have only plain fields; return `None` if that fails.

    Objects such as the categories of a page are in many lists, and are read once. They are kept, so that no other object
    gets the id of one of them.
    """
    if execution.deadline is not None and monotonic() >= execution.deadline:
        raise DeadlineExceeded
    known = execution.plain_objects.setdefault(read, {})
    completed: list[Any] = []
    try:
        for value in values:
            former = known.get(id(value))
            if former is not None:
                completed.append(former[1].copy())
            elif type(value) is own and not hasattr(value, _CAST):
                entry = read(value)
                known[id(value)] = value, entry
                completed.append(entry)
            else:
                return None
    except Exception:  # noqa: BLE001 - it is raised again, and reported, when the entries are completed
        return None
    return completed


def _abstract(type_: Any, requested: RequestedField, group: FieldDetailsList, fields: SubFields) -> Completer:
    resolve_type = type_.resolve_type or default_type_resolver
    known: dict[str, Completer] = {}

    def complete_abstract(value: Any, path: PathNode, execution: Execution, info: Any) -> Any:
        if value is None or value is Undefined:
            return None
        check_value(value)
        name = resolve_type(value, info, type_)
        check_value(name)
        complete = known.get(name) if type(name) is str else None
        if complete is None:
            object_type = execution.executor.ensure_valid_runtime_type(name, type_, group, info, value)
            complete = known[object_type.name] = _object(object_type, group, fields)[0]
        return complete(value, path, execution, info)

    return complete_abstract


_CAST: Final = "__as_strawberry_type__"
_IS_TYPE_OF = "GraphQLCoreConverter.from_object.<locals>._get_is_type_of.<locals>.is_type_of"


def _own_class(type_: GraphQLObjectType) -> type | None:
    """Return the class whose objects strawberry's own `is_type_of` accepts, unless they were cast."""
    code = getattr(type_.is_type_of, "__code__", None)
    definition = type_.extensions.get("strawberry-definition")
    if code is None or code.co_qualname != _IS_TYPE_OF or definition is None:
        return None
    origin: type = definition.origin
    return origin


def _has_type_check(type_: GraphQLObjectType) -> bool:
    """Return whether a type has an `is_type_of` that may use the info; strawberry's own does not."""
    return type_.is_type_of is not None and _own_class(type_) is None
