"""Relay's object identification: nodes and their global ids."""

from collections.abc import Callable
from typing import Final, TypeVar, cast

import strawberry

from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.graphql.context import PointInTime
from ledgerpress.graphql.errors import BadRequest
from ledgerpress.graphql.relay import global_id_text
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot


@strawberry.interface(
    description="An object with an id that is permanent and unique in the whole publication. An object as of a past moment"
    " has another id, which contains the position."
)
class Node:
    id: strawberry.ID


T = TypeVar("T")

_PAST_ID: Final = "This is the id of an object as of position {position}. Use the id of the current object."

decode: Final = global_id_text.decode
"""Returns the parts of a global id, `None` if it is invalid."""


_encode: Final = cast("Callable[[str, str, int | None], strawberry.ID]", global_id_text.encode)


def encode(type: str, id: str, position: int | None = None) -> strawberry.ID:
    """Return the global id of an object, as of `position` if it is not the current object."""
    return _encode(type, id, position)


def id_of(moment: PointInTime, type: str, id: str) -> strawberry.ID:
    """Return the global id of an object as of `moment`."""
    position = moment.snapshot.position if moment.has_dated_ids else None
    return _encode(type, id, position)


def argument(global_id: str, type: str) -> str:
    """Return the id in an argument of a query.

    Raises `BadRequest` if it is invalid, belongs to another type, or is the id of an object of the past.
    """
    decoded = decode(global_id)
    if decoded is None or decoded.type != type:
        raise BadRequest(f"This is not an id of the type {type}.")
    if decoded.position is not None:
        raise BadRequest(
            f"{_PAST_ID.format(position=decoded.position)} For the past, give asOf, or query node."
        )
    return decoded.id


def by_id_or_slug(
    global_id: str | None,
    slug: str | None,
    type: str,
    snapshot: Snapshot,
    by_id: Callable[[Snapshot, str], T | None],
    by_slug: Callable[[Snapshot, str], T | None],
) -> T | None:
    """Return the object with `global_id` or `slug`. Raises `BadRequest` unless exactly one of them is given."""
    if (global_id is None) == (slug is None):
        raise BadRequest("Give either id or slug.")
    if global_id is not None:
        return by_id(snapshot, argument(global_id, type))
    return by_slug(snapshot, slug or "")


def in_input(global_id: str, *types: str, field: tuple[str, ...]) -> str:
    """Return the id in a command's input.

    Raises `Rejection` if it is invalid, belongs to another type, or is the id of an object of the past.
    """
    decoded = decode(global_id)
    if decoded is None or decoded.type not in types:
        raise Rejection(ErrorCode.INVALID_ID, f"This is not an id of the type {types[0]}.", field=field)
    if decoded.position is not None:
        raise Rejection(ErrorCode.INVALID_ID, _PAST_ID.format(position=decoded.position), field=field)
    return decoded.id
