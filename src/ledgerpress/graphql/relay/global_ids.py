"""Relay's object identification: nodes and their global ids, which are opaque to clients.

A global id consists of a type name, an id, and for an object of the past the position as of which it was read. Clients
that store objects by id thus store the past and the present of an object separately.
"""

import base64
import binascii
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple, TypeVar

import strawberry

from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.graphql.errors import BadRequest
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot


@strawberry.interface(
    description="An object with an id that is permanent and unique in the whole publication. An object as of a past moment"
    " has another id, which contains the position."
)
class Node:
    id: strawberry.ID


T = TypeVar("T")

_PLAIN: Final = re.compile(
    r"([A-Z][A-Za-z]*):([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:@(0|[1-9][0-9]{0,18}))?"
)
_PAST_ID: Final = "This is the id of an object as of position {position}. Use the id of the current object."


class GlobalId(NamedTuple):
    """The parts of a global id. `position` is the position as of which the object was read, `None` for current objects."""

    type: str
    id: str
    position: int | None = None


@lru_cache(maxsize=8_192)
def encode(type: str, id: str, position: int | None = None) -> strawberry.ID:
    """Return the global id of an object, as of `position` if it is not the current object."""
    plain = f"{type}:{id}" if position is None else f"{type}:{id}@{position}"
    return strawberry.ID(base64.urlsafe_b64encode(plain.encode()).decode().rstrip("="))


def decode(global_id: str) -> GlobalId | None:
    """Return the parts of a global id, `None` if it is invalid."""
    try:
        padded = global_id + "=" * (-len(global_id) % 4)
        match = _PLAIN.fullmatch(base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii"))
    except (binascii.Error, ValueError):
        return None
    return GlobalId(match[1], match[2], int(match[3]) if match[3] else None) if match else None


def argument(global_id: str, *types: str) -> GlobalId:
    """Return the id in an argument of a query.

    Raises `BadRequest` if it is invalid, belongs to another type, or is the id of an object of the past.
    """
    decoded = decode(global_id)
    if decoded is None or decoded.type not in types:
        raise BadRequest(f"This is not an id of the type {' or '.join(types)}.")
    if decoded.position is not None:
        raise BadRequest(
            f"{_PAST_ID.format(position=decoded.position)} For the past, give asOf, or query node."
        )
    return decoded


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
        return by_id(snapshot, argument(global_id, type).id)
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
