"""The ids in responses: those of objects as of a past moment contain its position."""

from typing import Any

from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.relay.global_id_text import GlobalId


def positions_in(value: Any) -> set[int | None]:
    """Return the positions in the ids of a response, with `None` for ids of current objects."""
    return {_decoded(id_).position for id_ in ids_in(value)}


def ids_in(value: Any) -> set[str]:
    """Return all values with the key `id` in a response."""
    if isinstance(value, list):
        return set().union(*map(ids_in, value))
    if isinstance(value, dict):
        own = {value["id"]} if isinstance(value.get("id"), str) else set()
        return own.union(*map(ids_in, value.values()))
    return set()


def with_current_ids(value: Any) -> Any:
    """Return a response with the ids of the current objects in place of ids with a position."""
    if isinstance(value, list):
        return [with_current_ids(entry) for entry in value]
    if isinstance(value, dict):
        return {
            name: current_id(entry) if name == "id" and isinstance(entry, str) else with_current_ids(entry)
            for name, entry in value.items()
        }
    return value


def current_id(global_id: str) -> str:
    """Return the id of the current object."""
    decoded = _decoded(global_id)
    return global_ids.encode(decoded.type, decoded.id)


def _decoded(global_id: str) -> GlobalId:
    decoded = global_ids.decode(global_id)
    assert decoded, global_id
    return decoded
