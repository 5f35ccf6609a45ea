"""GraphQL enums from the enums of a model, with a description of each value."""

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

E = TypeVar("E", bound=Enum)


def described_enum(kind: type[E], *, name: str, description: str, values: Mapping[E, str]) -> type[E]:
    """Return `kind` as a GraphQL enum. Raises `ValueError` unless `values` describes each member."""
    if set(values) != set(kind):
        raise ValueError(f"{name}: describe each value once")
    enum = strawberry.enum(kind, name=name, description=description)
    definition: StrawberryEnumDefinition = enum.__strawberry_definition__  # type: ignore[attr-defined]
    for value in definition.values:
        value.description = values[kind[value.name]]
    return enum
