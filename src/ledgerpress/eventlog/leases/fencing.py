"""Fencing: the log itself refuses what is appended under a lease that another has taken since."""

from collections.abc import Sequence
from dataclasses import dataclass

from ledgerpress.eventlog.errors import WrongExpectedVersion
from ledgerpress.eventlog.leases import events as leases
from ledgerpress.eventlog.log import EventLog, StreamWrite


class LeaseLost(Exception):
    """A lease is no longer held by whoever works under it. Of what was refused for it, nothing was recorded."""

    def __init__(self, *, lease: str, token: int) -> None:
        super().__init__(f"the lease {lease} is lost: token {token} is no longer the last")
        self.lease = lease
        self.token = token


@dataclass(frozen=True, slots=True)
class Fence:
    """The right to append under a lease, good until another takes the lease.

    `token` is the version of the lease's stream at which it was taken: greater with each holder, on every engine.
    """

    lease: str
    token: int

    @property
    def guard(self) -> StreamWrite:
        """What has to go with each append, so that the log refuses it once another has taken the lease."""
        return StreamWrite(leases.stream_name(self.lease), self.token, ())

    async def append(self, log: EventLog, writes: Sequence[StreamWrite]) -> int:
        """Append under the lease; return the position of the last event. Raises `LeaseLost`, and what `append` raises."""
        guard = self.guard
        try:
            # The guard comes first: where the streams have moved too, it is still the loss that is told.
            return await log.append([guard, *writes])
        except WrongExpectedVersion as error:
            if error.stream != guard.stream:
                raise
            raise LeaseLost(lease=self.lease, token=self.token) from error
