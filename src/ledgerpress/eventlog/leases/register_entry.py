"""The text in the register of a lease, and how a waiting node interprets it.

Clocks of two machines are never compared. The holder counts its time from before it wrote; a waiting node counts the same time
from after it first saw what was written, which is later.
"""

import msgspec

from ledgerpress.eventlog.errors import EventLogError
from ledgerpress.eventlog.lease_register import LeaseRecord


class LeaseEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """The text in a register: the holder of the lease, and for how many seconds each write extends it.

    `holder` is a new id for each time that the lease is taken, and `None` if the lease is free. `token` is the last version
    of the lease's stream that the holder knew: a hint where to start, not a guarantee.
    """

    node: str
    seconds: float
    holder: str | None = None
    token: int = 0

    def text(self) -> str:
        """Return the entry as stored in the register."""
        return msgspec.json.encode(self).decode()

    @staticmethod
    def of(record: LeaseRecord) -> "LeaseEntry":
        """Return the entry in a register. Raises `EventLogError` if it is not an entry."""
        try:
            return msgspec.json.decode(record.holder, type=LeaseEntry)
        except msgspec.MsgspecError as error:
            message = (
                f"the register of a lease holds what this program cannot read: {record.holder!r} ({error})"
            )
            raise EventLogError(message) from error


class LeaseObservation:
    """What one node has seen in a register, and since when, by its own monotonic clock in seconds."""

    def __init__(self) -> None:
        self._revision = -1
        self._since = 0.0

    def is_free(self, record: LeaseRecord | None, now: float) -> bool:
        """Return whether the lease may be taken: it has no holder, or the holder has not written in its time.

        `record` was read from the register before `now`.
        """
        if record is None:
            return True
        if record.revision != self._revision:
            self._revision, self._since = record.revision, now
        entry = LeaseEntry.of(record)
        return entry.holder is None or now - self._since >= entry.seconds
