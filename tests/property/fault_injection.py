"""Make resolvers and attributes of objects fail in every way that they can."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final
from zlib import crc32

import strawberry
from graphql import GraphQLError, GraphQLObjectType, GraphQLSchema
from strawberry.types.field import StrawberryField


class ResolverError(Exception):
    """An error that the project's resolvers never raise."""


def _raise(error: Exception) -> Any:
    raise error


FAILURES: Final[dict[str, Callable[[], Any]]] = {
    "raise": lambda: _raise(ResolverError("out of order")),
    "raise GraphQLError": lambda: _raise(GraphQLError("not today", extensions={"code": "CLOSED"})),
    "null": lambda: None,
    "return an error": lambda: ResolverError("returned"),
    "a number": lambda: 2**40 + 0.5,
    "a list": lambda: [None, 1],
    "text": lambda: "some text",
}


@dataclass
class FieldFault:
    """A fault at every `every`-th call of the resolver of a field, or at some values of an attribute.

    Call `rewind` before each execution to repeat the same faults. Attributes may be read in any order and repeatedly,
    so the value decides whether it is replaced.
    """

    type: str
    field: str
    failure: str
    every: int
    calls: int = 0
    failed: int = 0

    def rewind(self) -> None:
        self.calls = 0

    def value(self, get: Callable[[], Any]) -> Any:
        self.calls += 1
        if self.calls % self.every:
            return get()
        return self._fail()

    def attribute(self, value: Any) -> Any:
        name = repr(value) if isinstance(value, str | int | None) else type(value).__name__
        return value if crc32(name.encode()) % self.every else self._fail()

    def _fail(self) -> Any:
        self.failed += 1
        return FAILURES[self.failure]()


@contextmanager
def injected_faults(schema: GraphQLSchema, faults: list[FieldFault]) -> Iterator[None]:
    """Inject the faults into the schema's fields until the context ends."""
    with ExitStack() as stack:
        for fault in faults:
            stack.enter_context(_injected_fault(schema, fault))
        yield


@contextmanager
def _injected_fault(schema: GraphQLSchema, fault: FieldFault) -> Iterator[None]:
    type_ = schema.type_map[fault.type]
    assert isinstance(type_, GraphQLObjectType)
    definition = type_.fields[fault.field]
    field: StrawberryField = definition.extensions["strawberry-definition"]
    resolver = field.base_resolver
    if resolver is not None:
        original = resolver.wrapped_func
        assert callable(original)
        resolver.wrapped_func = lambda *args, **kwargs: fault.value(lambda: original(*args, **kwargs))
        try:
            yield
        finally:
            resolver.wrapped_func = original
        return
    owner = type_.extensions["strawberry-definition"].origin
    name = field.python_name
    before = owner.__dict__.get(name, strawberry.UNSET)
    setattr(owner, name, _Attribute(name, fault))
    try:
        yield
    finally:
        if before is strawberry.UNSET:
            delattr(owner, name)
        else:
            setattr(owner, name, before)


class _Attribute:
    """A descriptor that replaces an attribute of an object."""

    def __init__(self, name: str, fault: FieldFault) -> None:
        self._name = name
        self._fault = fault

    def __get__(self, instance: Any, owner: type) -> Any:
        return self if instance is None else self._fault.attribute(instance.__dict__[self._name])

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self._name] = value
