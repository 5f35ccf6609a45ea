"""Let resolvers and attributes of objects fail at random, in every way that they can."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import strawberry
from graphql import GraphQLError, GraphQLObjectType, GraphQLSchema
from strawberry.types.field import StrawberryField


class Broken(Exception):
    """What a resolver of ours would never raise."""


def _raise(error: Exception) -> Any:
    raise error


WAYS: Final[dict[str, Callable[[], Any]]] = {
    "raise": lambda: _raise(Broken("out of order")),
    "raise GraphQLError": lambda: _raise(GraphQLError("not today", extensions={"code": "CLOSED"})),
    "null": lambda: None,
    "return an error": lambda: Broken("returned"),
    "a number": lambda: 2**40 + 0.5,
    "a list": lambda: [None, 1],
    "text": lambda: "some text",
}


@dataclass
class Saboteur:
    """Fails at every `every`-th value of one field. Call `rewind` between two executions that are to be the same."""

    type: str
    field: str
    way: str
    every: int
    seen: int = 0
    failed: int = 0

    def rewind(self) -> None:
        self.seen = 0

    def value(self, get: Callable[[], Any]) -> Any:
        self.seen += 1
        if self.seen % self.every:
            return get()
        self.failed += 1
        return WAYS[self.way]()


@contextmanager
def sabotaged(schema: GraphQLSchema, saboteurs: list[Saboteur]) -> Iterator[None]:
    """Let the saboteurs at the schema's fields for a while."""
    with ExitStack() as stack:
        for one in saboteurs:
            stack.enter_context(_sabotaged(schema, one))
        yield


@contextmanager
def _sabotaged(schema: GraphQLSchema, saboteur: Saboteur) -> Iterator[None]:
    type_ = schema.type_map[saboteur.type]
    assert isinstance(type_, GraphQLObjectType)
    definition = type_.fields[saboteur.field]
    field: StrawberryField = definition.extensions["strawberry-definition"]
    resolver = field.base_resolver
    if resolver is not None:
        whole = resolver.wrapped_func
        assert callable(whole)
        resolver.wrapped_func = lambda *args, **kwargs: saboteur.value(lambda: whole(*args, **kwargs))
        try:
            yield
        finally:
            resolver.wrapped_func = whole
        return
    owner = type_.extensions["strawberry-definition"].origin
    name = field.python_name
    before = owner.__dict__.get(name, strawberry.UNSET)
    setattr(owner, name, _Attribute(name, saboteur))
    try:
        yield
    finally:
        if before is strawberry.UNSET:
            delattr(owner, name)
        else:
            setattr(owner, name, before)


class _Attribute:
    """Stands before an object's own attribute."""

    def __init__(self, name: str, saboteur: Saboteur) -> None:
        self._name = name
        self._saboteur = saboteur

    def __get__(self, instance: Any, owner: type) -> Any:
        return self if instance is None else self._saboteur.value(lambda: instance.__dict__[self._name])

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self._name] = value
