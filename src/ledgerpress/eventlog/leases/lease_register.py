"""The port to the place beside the log where it is kept who holds which lease.

It is a register for each name, changed by comparing and setting; what a lease is, and how long it lasts, is not the
engine's to know. The fencing token is not kept here but in the log itself, so that the log can refuse whoever lost it.
"""

from typing import NamedTuple, Protocol


class Held(NamedTuple):
    """What a register holds: the number of times that it was written, from 1, and the holder's own text."""

    revision: int
    holder: str


class LeaseRegister(Protocol):
    """One register for each name (`[a-z][a-z0-9-]{0,63}`), shared by all nodes of a publication.

    It MUST survive a restart of the engine. Where the engine cannot be reached, both methods raise `LogUnavailable`.
    """

    async def read(self, name: str) -> Held | None:
        """Return what the register holds, as of now and not as of a replica; `None` where it was never written."""
        ...

    async def write(self, name: str, holder: str, *, previous: int) -> Held | None:
        """Set the register where its revision is `previous` (0: never written), and return what it holds now.

        Returns `None`, and changes nothing, where its revision is another one.
        """
        ...
