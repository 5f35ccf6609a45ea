"""The port to the registers next to the log that hold the current holder of each lease, and what they contain.

A register is changed by compare-and-set; what a lease is and how long it lasts is unknown to the engine. The fencing
token is not in the register but in the log, so that the log can reject a node that has lost the lease.

Clocks of two machines are never compared. The holder counts its time from before it wrote; a waiting node counts the
same time from after it first saw what was written, which is later.
"""

from typing import NamedTuple, Protocol

import msgspec

from ledgerpress.eventlog.errors import EventLogError


class LeaseRecord(NamedTuple):
    """The content of a register: how often it has been written, from 1, and the holder's text."""

    revision: int
    holder: str


class LeaseRegister(Protocol):
    """One register for each name (`[a-z][a-z0-9-]{0,63}`), shared by all nodes of a publication.

    It MUST survive a restart of the engine. Both methods raise `LogUnavailable` if the engine cannot be reached.
    """

    async def read(self, name: str) -> LeaseRecord | None:
        """Return the current content of the register, never a replica's; `None` if it was never written."""
        ...

    async def write(self, name: str, holder: str, *, previous: int) -> LeaseRecord | None:
        """Set the register if its revision is `previous` (0: never written), and return its new content.

        Returns `None`, and changes nothing, if its revision is another one.
        """
        ...


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
