"""The leaf types of the schema: custom scalars (positions of the log, and times), and enums with described values."""

from collections.abc import Callable, Mapping
from enum import Enum
from functools import lru_cache
from typing import Any, Final, NewType, TypeVar

import strawberry
from graphql import GraphQLError, ValueNode, value_from_ast_untyped
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.scalar import ScalarDefinition

from ledgerpress import rfc3339
from ledgerpress.eventlog.envelope import MAX_INTEGER

Position = NewType("Position", int)
DateTime = NewType("DateTime", int)
E = TypeVar("E", bound=Enum)


@lru_cache(maxsize=8_192)
def iso_time(microseconds: int) -> str:
    """Return a time, in microseconds since 1970, UTC, as RFC 3339 text. A fraction of zero is omitted."""
    return rfc3339.format_time(microseconds)


def _parse_time(value: Any) -> DateTime:
    if not isinstance(value, str):
        raise GraphQLError(f"A DateTime is a string such as 2024-12-22T09:00:00Z, not {value!r}.")
    try:
        return DateTime(rfc3339.parse(value))
    except rfc3339.InvalidTime as error:
        raise GraphQLError(f"{value!r} is not a DateTime: {error}.") from None


def _parse_position(value: Any) -> Position:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_INTEGER:
        raise GraphQLError(f"A Position is an integer from 0 to 2^53-1, not {value!r}.")
    return Position(value)


def _literal(parse: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return a parser of literals that raises the errors of `parse` with the place in the document."""

    def parse_literal(node: ValueNode, variables: dict[str, Any] | None = None) -> Any:
        try:
            return parse(value_from_ast_untyped(node, variables))
        except GraphQLError as error:
            raise GraphQLError(error.message, node) from None

    return parse_literal


SCALARS: Final[dict[object, ScalarDefinition]] = {
    Position: strawberry.scalar(
        name="Position",
        description="A position in the event log: a JSON integer from 0 (before the first event) to 2^53-1.",
        serialize=int,
        parse_value=_parse_position,
        parse_literal=_literal(_parse_position),
    ),
    DateTime: strawberry.scalar(
        name="DateTime",
        description="A time: `date-time` of RFC 3339, section 5.6, such as 2024-12-22T09:00:00+01:00. Digits after the "
        "microsecond are dropped, and a leap second is read as the second after it. Results are in UTC.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339#section-5.6",
        serialize=iso_time,
        parse_value=_parse_time,
        parse_literal=_literal(_parse_time),
    ),
}


def described_enum(kind: type[E], *, name: str, description: str, values: Mapping[E, str]) -> type[E]:
    """Return `kind` as a GraphQL enum. Raises `ValueError` unless `values` describes each member."""
    if set(values) != set(kind):
        raise ValueError(f"{name}: describe each value once")
    enum = strawberry.enum(kind, name=name, description=description)
    definition: StrawberryEnumDefinition = enum.__strawberry_definition__  # type: ignore[attr-defined]
    for value in definition.values:
        value.description = values[kind[value.name]]
    return enum
