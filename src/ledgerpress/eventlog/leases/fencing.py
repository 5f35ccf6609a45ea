"""Fencing: the log rejects appends under a lease that another node has taken since."""

from collections.abc import Sequence
from dataclasses import dataclass

from ledgerpress.eventlog.errors import WrongExpectedVersion
from ledgerpress.eventlog.log import EventLog, StreamWrite
from ledgerpress.eventlog.log_events import lease_stream


class LeaseLost(Exception):
    """The lease is no longer held. Nothing of a rejected append was recorded."""

    def __init__(self, *, lease: str, token: int) -> None:
        super().__init__(f"the lease {lease} is lost: token {token} is no longer the last")
        self.lease = lease
        self.token = token


@dataclass(frozen=True, slots=True)
class Fence:
    """The right to append under a lease, valid until another node takes the lease.

    `token` is the version of the lease's stream at which it was taken: it grows with each holder, on every engine.
    """

    lease: str
    token: int

    @property
    def guard(self) -> StreamWrite:
        """The guard of each append: the log rejects it once another node has taken the lease."""
        return StreamWrite(lease_stream(self.lease), self.token, ())

    async def append(self, log: EventLog, writes: Sequence[StreamWrite]) -> int:
        """Append under the lease; return the position of the last event. Raises `LeaseLost`, and what `append` raises."""
        guard = self.guard
        try:
            # The guard comes first: if other streams have changed too, the loss of the lease is still what is reported.
            return await log.append([guard, *writes])
        except WrongExpectedVersion as error:
            if error.stream != guard.stream:
                raise
            raise LeaseLost(lease=self.lease, token=self.token) from error
