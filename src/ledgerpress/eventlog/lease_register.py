"""The port to the registers next to the log that hold the current holder of each lease.

A register is changed by compare-and-set; what a lease is and how long it lasts is unknown to the engine. The fencing token is
not in the register but in the log, so that the log can reject a node that has lost the lease.
"""

from typing import NamedTuple, Protocol


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
