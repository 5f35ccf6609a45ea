"""Relay's object identification: nodes and their global ids, which are opaque to clients: a type name and an id."""

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
    description="An object with an id that is permanent and unique in the whole publication."
)
class Node:
    id: strawberry.ID


T = TypeVar("T")

_PLAIN: Final = re.compile(r"([A-Z][A-Za-z]*):([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


class GlobalId(NamedTuple):
    type: str
    id: str


@lru_cache(maxsize=8_192)
def encode(type: str, id: str) -> strawberry.ID:
    """Return the global id of an object."""
    return strawberry.ID(base64.urlsafe_b64encode(f"{type}:{id}".encode()).decode().rstrip("="))


def decode(global_id: str) -> GlobalId | None:
    """Return the parts of a global id, `None` if it is invalid."""
    try:
        padded = global_id + "=" * (-len(global_id) % 4)
        match = _PLAIN.fullmatch(base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii"))
    except (binascii.Error, ValueError):
        return None
    return GlobalId(match[1], match[2]) if match else None


def argument(global_id: str, type: str) -> str:
    """Return the id in an argument of a query. Raises `BadRequest` if it is invalid or belongs to another type."""
    decoded = decode(global_id)
    if decoded is None or decoded.type != type:
        raise BadRequest(f"This is not an id of the type {type}.")
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
    """Return the id in a command's input. Raises `Rejection` if it is invalid or belongs to another type."""
    decoded = decode(global_id)
    if decoded is None or decoded.type not in types:
        raise Rejection(ErrorCode.INVALID_ID, f"This is not an id of the type {types[0]}.", field=field)
    return decoded.id
