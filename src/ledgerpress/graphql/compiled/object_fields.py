"""The requested fields of an object as one function.

Most fields only read an attribute whose value is part of the response unchanged, or after a serialization. These plain
fields are read together, without a call per field. If one of them fails, or has an unexpected value, all fields of the
object are completed one by one, which reports errors as the specification requires. Reading an attribute twice is
safe, because a query changes nothing.
"""

from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, Final, NamedTuple, TypeAlias

from graphql import Undefined

from ledgerpress.graphql.compiled.execution_state import Execution, Field, PathNode

LeafSerializer: TypeAlias = Callable[[Any], Any]
"""Serializes a value; `None` for null."""
PlainObject: TypeAlias = Callable[[Any], dict[str, Any]]
"""Returns an object whose fields are all plain. Raises an exception if a field has to be completed on its own."""

SIMPLE_CLASSES: Final = frozenset({str, int, float, bool})
"""Classes of values that are neither null nor awaited."""
_MAX_KNOWN_CLASSES: Final = 64


class PlainField(NamedTuple):
    """How a plain field is read. Values of the class `kind` are not serialized; `None` stands for no class.

    `coerce` is the function of a custom scalar that serializes values of `SIMPLE_CLASSES`.
    """

    attribute: str
    serialize: LeafSerializer
    kind: type | None
    non_null: bool
    coerce: LeafSerializer | None = None


class CompiledField(NamedTuple):
    """A requested field under its response key: a function, and how the field is read if it is plain."""

    key: str
    complete: Field
    plain: PlainField | None = None


class _NotPlain(Exception):
    """A value has to be completed by the function of its field."""


class ObjectFields(NamedTuple):
    """The fields of an object as a function; and as a function of the object alone if all fields are plain."""

    complete: Field
    plain: PlainObject | None


def object_fields(fields: Sequence[CompiledField]) -> ObjectFields:
    """Return the function that completes the fields of an object in their order."""
    functions = tuple((field.key, field.complete) for field in fields)

    def one_by_one(source: Any, path: PathNode | None, execution: Execution) -> dict[str, Any]:
        return {key: complete(source, path, execution) for key, complete in functions}

    read = _plain_reader(fields)
    if read is None:
        return ObjectFields(one_by_one, None)
    others = tuple((field.key, field.complete) for field in fields if field.plain is None)

    def complete(source: Any, path: PathNode | None, execution: Execution) -> dict[str, Any]:
        try:
            completed = read(source)
        except Exception:  # noqa: BLE001 - it is raised again, and reported, below
            return one_by_one(source, path, execution)
        for key, field in others:
            completed[key] = field(source, path, execution)
        return completed

    return ObjectFields(complete, None if others else read)


def _plain_reader(fields: Sequence[CompiledField]) -> PlainObject | None:
    """Return the function that reads the plain fields of an object, with `None` for the others, in their order."""
    plain = [(field.key, field.plain) for field in fields if field.plain is not None]
    if not plain:
        return None
    names = [field.attribute for _, field in plain]
    # With one name, `attrgetter` does not return a tuple.
    read = attrgetter(*names) if len(names) > 1 else partial(_only, attrgetter(*names))
    keys = tuple(key for key, _ in plain)
    unchanged = [_classes(field) for _, field in plain]
    expected = tuple(field.kind for _, field in plain)
    known: set[tuple[type, ...]] = set()
    serialized = tuple(
        (key, field.coerce, field.serialize, field.non_null) for key, field in plain if field.kind is None
    )
    order = None if len(plain) == len(fields) else dict.fromkeys(field.key for field in fields)

    def reader(source: Any) -> dict[str, Any]:
        values = read(source)
        kinds = tuple(map(type, values))
        if kinds != expected and kinds not in known:
            if not all(
                kind is None or of_value in kind for of_value, kind in zip(kinds, unchanged, strict=True)
            ):
                raise _NotPlain
            if len(known) < _MAX_KNOWN_CLASSES:
                known.add(kinds)
        if order is None:
            completed = dict(zip(keys, values, strict=True))
        else:
            completed = order.copy()
            completed.update(zip(keys, values, strict=True))
        for key, coerce, serialize, non_null in serialized:
            value = completed[key]
            if coerce is not None and type(value) in SIMPLE_CLASSES:
                value = coerce(value)
                if value is None or value is Undefined:
                    raise _NotPlain
            else:
                value = serialize(value)
                if value is None and non_null:
                    raise _NotPlain
            completed[key] = value
        return completed

    return reader


def _only(read: Callable[[Any], Any], source: Any) -> tuple[Any]:
    return (read(source),)


def _classes(field: PlainField) -> frozenset[type] | None:
    """Return the classes whose values a field does not serialize, `None` if it serializes every value."""
    if field.kind is None:
        return None
    return frozenset({field.kind} if field.non_null else {field.kind, type(None)})
