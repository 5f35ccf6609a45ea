"""The custom scalars of the schema: positions of the log, and times."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NewType

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from ledgerpress.eventlog.envelope import MAX_INTEGER

Position = NewType("Position", int)
DateTime = NewType("DateTime", int)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@lru_cache(maxsize=8_192)
def iso_time(microseconds: int) -> str:
    """Return a time, in microseconds since 1970, UTC, as RFC 3339 text. A fraction of zero is omitted."""
    moment = _EPOCH + timedelta(microseconds=microseconds)
    return moment.isoformat().replace("+00:00", "Z")


def parse_time(value: Any) -> DateTime:
    """Return the time in `value`, which is RFC 3339 text. Raises `GraphQLError` if it is invalid."""
    if not isinstance(value, str):
        raise GraphQLError(f"A DateTime is a string such as 2024-12-22T09:00:00Z, not {value!r}.")
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise GraphQLError(f"{value!r} lacks an offset from UTC, such as Z or +01:00.")
        return DateTime((moment.astimezone(UTC) - _EPOCH) // _MICROSECOND)
    except (ValueError, OverflowError):
        raise GraphQLError(f"{value!r} is not a DateTime such as 2024-12-22T09:00:00Z.") from None


def _parse_position(value: Any) -> Position:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_INTEGER:
        raise GraphQLError(f"A Position is an integer from 0 to 2^53-1, not {value!r}.")
    return Position(value)


SCALARS: Final[dict[object, ScalarDefinition]] = {
    Position: strawberry.scalar(
        name="Position",
        description="A position in the event log: a JSON integer from 0 (before the first event) to 2^53-1.",
        serialize=int,
        parse_value=_parse_position,
    ),
    DateTime: strawberry.scalar(
        name="DateTime",
        description="An RFC 3339 time with an offset from UTC. Responses are in UTC, precise to the microsecond.",
        specified_by_url="https://scalars.graphql.org/andimarek/date-time.html",
        serialize=iso_time,
        parse_value=parse_time,
    ),
}
