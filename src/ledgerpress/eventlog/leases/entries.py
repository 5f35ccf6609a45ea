"""What the register of a lease says, and what a node that waits for the lease makes of it.

Clocks of two machines are never compared. The holder counts its time from before it wrote; whoever waits counts the
same time from after it first saw what was written, which is later.
"""

import msgspec

from ledgerpress.eventlog.errors import EventLogError
from ledgerpress.eventlog.leases.lease_register import Held


class LeaseEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """The text in a register: who holds the lease, and for how many seconds from each time that it is written.

    `holder` is an id of its own for each taking, and `None` where the lease is free. `token` is the last version of
    the lease's stream that the holder knew of: where it begins to look, and nothing that anyone relies on.
    """

    node: str
    seconds: float
    holder: str | None = None
    token: int = 0

    def text(self) -> str:
        """Return the entry as it stands in the register."""
        return msgspec.json.encode(self).decode()

    @staticmethod
    def of(held: Held) -> "LeaseEntry":
        """Return what a register says. Raises `EventLogError` where that is not an entry."""
        try:
            return msgspec.json.decode(held.holder, type=LeaseEntry)
        except msgspec.MsgspecError as error:
            message = (
                f"the register of a lease holds what this program cannot read: {held.holder!r} ({error})"
            )
            raise EventLogError(message) from error


class LeaseObservation:
    """What one node has seen of a register, and since when, by its own clock, which counts seconds and never goes back."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._revision = -1
        self._since = 0.0

    def is_free(self, found: Held | None, now: float) -> bool:
        """Return whether the lease may be taken: nobody holds it, or its holder has been silent for as long as it had.

        `found` was read from the register before `now`.
        """
        if found is None:
            return True
        if found.revision != self._revision:
            self._revision, self._since = found.revision, now
        entry = LeaseEntry.of(found)
        return entry.holder is None or now - self._since >= entry.seconds
