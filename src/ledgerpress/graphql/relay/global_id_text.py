"""Global ids as text: a type name and an id, in Base64, opaque to clients."""

import base64
import binascii
import re
from functools import lru_cache
from typing import Final, NamedTuple

_PLAIN: Final = re.compile(r"([A-Z][A-Za-z]*):([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


class GlobalId(NamedTuple):
    type: str
    id: str


@lru_cache(maxsize=8_192)
def encode(type: str, id: str) -> str:
    """Return the global id of an object."""
    return base64.urlsafe_b64encode(f"{type}:{id}".encode()).decode().rstrip("=")


def decode(global_id: str) -> GlobalId | None:
    """Return the parts of a global id, `None` if it is invalid."""
    try:
        padded = global_id + "=" * (-len(global_id) % 4)
        match = _PLAIN.fullmatch(base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii"))
    except (binascii.Error, ValueError):
        return None
    return GlobalId(match[1], match[2]) if match else None
