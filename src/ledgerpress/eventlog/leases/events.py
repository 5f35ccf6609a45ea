"""The event of a lease: a change of its holder."""

import re
from typing import Final

from ledgerpress.eventlog.event import Event

TAKEN: Final = "lease.taken"
"""The stored name of `LeaseTaken`."""

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,63}")


class LeaseTaken(Event, frozen=True):
    """A node holds a lease from now on, and nobody who held it before does.

    The version that this event has in the lease's stream is the holder's fencing token. `node` is what the holder calls
    itself: one node that takes a lease twice is two holders.
    """

    lease: str
    node: str


def stream_name(lease: str) -> str:
    """Return the name of a lease's stream. Raises `ValueError` for an invalid name of a lease."""
    if not _NAME.fullmatch(lease):
        raise ValueError(
            f"{lease!r} is no name for a lease: at most 64 of a-z, 0-9 and -, with a letter first"
        )
    return f"lease.{lease}"
