"""The port to the lease registers next to the log, which contain the current holder of each lease.

A register is changed by compare-and-set; the engine does not know what a lease is or how long it lasts. The fencing
token is not in the register but in the log, so that the log can reject a node that has lost the lease.

The clocks of two machines are never compared. The holder measures the duration from the moment before its write. A
waiting node measures the same duration from the moment after it first read that write, so its measurement ends later.
"""

from typing import NamedTuple, Protocol

import msgspec

from ledgerpress.eventlog.errors import EventLogError


class LeaseRecord(NamedTuple):
    """The content of a register: the number of its writes (from 1), and the text of the holder."""

    revision: int
    holder: str


class LeaseRegister(Protocol):
    """The registers of a publication, one for each name (`[a-z][a-z0-9-]{0,63}`), shared by all nodes.

    They MUST survive a restart of the engine. Both methods raise `LogUnavailable` if the engine cannot be reached.
    """

    async def read(self, name: str) -> LeaseRecord | None:
        """Return the current content of the register, never from a replica that may lag; `None` if never written."""
        ...

    async def write(self, name: str, holder: str, *, previous: int) -> LeaseRecord | None:
        """Write the register if its revision is `previous` (0: never written), and return its new content.

        If the revision is different, change nothing and return `None`.
        """
        ...


class LeaseEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """The text in a register: the holder of the lease, and the seconds by which each write extends the lease.

    `holder` is a new id each time that the lease is taken, and `None` if the lease is free. `token` is the last version
    of the lease's stream that the holder knew: a hint for the next holder, not a guarantee.
    """

    node: str
    seconds: float
    holder: str | None = None
    token: int = 0

    def text(self) -> str:
        return msgspec.json.encode(self).decode()

    @staticmethod
    def of(record: LeaseRecord) -> "LeaseEntry":
        """Return the entry in a register. Raises `EventLogError` if its text is not a valid entry."""
        try:
            return msgspec.json.decode(record.holder, type=LeaseEntry)
        except msgspec.MsgspecError as error:
            message = f"the register of a lease contains an invalid entry: {record.holder!r} ({error})"
            raise EventLogError(message) from error


class LeaseObservation:
    """The last revision that a node read from a register, and since when, by its own monotonic clock in seconds."""

    def __init__(self) -> None:
        self._revision = -1
        self._since = 0.0

    def is_free(self, record: LeaseRecord | None, now: float) -> bool:
        """Return whether the lease is free: it has no holder, or the holder did not write for the lease's duration.

        `record` was read from the register before `now`.
        """
        if record is None:
            return True
        if record.revision != self._revision:
            self._revision, self._since = record.revision, now
        entry = LeaseEntry.of(record)
        return entry.holder is None or now - self._since >= entry.seconds
