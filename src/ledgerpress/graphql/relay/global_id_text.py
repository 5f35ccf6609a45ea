"""Global ids as text: a type name and an id, in Base64, opaque to clients.

The id of an object of the past also contains the position as of which it was read. So clients that store objects by id
store the past and the present of an object separately.
"""

import base64
import binascii
import re
from functools import lru_cache
from typing import Final, NamedTuple

_PLAIN: Final = re.compile(
    r"([A-Z][A-Za-z]*):([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:@(0|[1-9][0-9]{0,18}))?"
)

_MAX_CACHED: Final = 128
"""The length of the longest text whose parts are cached. The ids of our own types are shorter."""


class GlobalId(NamedTuple):
    """The parts of a global id. `position` is the position as of which the object was read, `None` if it is current."""

    type: str
    id: str
    position: int | None = None


@lru_cache(maxsize=8_192)
def encode(type: str, id: str, position: int | None = None) -> str:
    """Return the global id of an object, as of `position` if it is not the current object."""
    plain = f"{type}:{id}" if position is None else f"{type}:{id}@{position}"
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def decode(global_id: str) -> GlobalId | None:
    """Return the parts of a global id, `None` if it is invalid."""
    return _decode(global_id) if len(global_id) <= _MAX_CACHED else _decode.__wrapped__(global_id)


@lru_cache(maxsize=8_192)
def _decode(global_id: str) -> GlobalId | None:
    try:
        padded = global_id + "=" * (-len(global_id) % 4)
        match = _PLAIN.fullmatch(base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii"))
    except (binascii.Error, ValueError):
        return None
    return GlobalId(match[1], match[2], int(match[3]) if match[3] else None) if match else None
