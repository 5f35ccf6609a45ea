"""Compares this machine's clock with the NATS servers' clocks: a node with a wrong clock must not record events."""

import asyncio
import time
from typing import Final

from ledgerpress import rfc3339
from ledgerpress.adapters.jetstream.stream_leader_api import LeaderRequests, StreamInfo
from ledgerpress.eventlog.errors import ClockRejected, EventLogError

MAX_DIFFERENCE: Final = 5.0
"""Seconds by which the clocks may differ."""
CHECK_INTERVAL: Final = 30.0
"""Seconds between two comparisons."""


class ClockCheck:
    """Compares this machine's clock with the clock of the stream's leader, and caches the difference."""

    def __init__(self, leader: LeaderRequests) -> None:
        self._leader = leader
        self._difference = 0.0
        self._compared_at = float("-inf")
        self._comparison: asyncio.Task[None] | None = None

    def compare(self, info: StreamInfo) -> None:
        """Compare with the leader's time in `info`, which was just received."""
        self._compared_at = time.monotonic()
        try:
            self._difference = time.time() - rfc3339.parse(info.ts) / 1_000_000  # noqa: TID251
        except rfc3339.InvalidTime:
            self._difference = 0.0

    async def check(self) -> None:
        """Raise `ClockRejected` if the clocks differ by more than `MAX_DIFFERENCE`.

        If the last comparison is older than `CHECK_INTERVAL`, compare again in the background.
        """
        if abs(self._difference) > MAX_DIFFERENCE:
            await self._compare_now()
        elif time.monotonic() - self._compared_at > CHECK_INTERVAL and self._comparison is None:
            self._comparison = asyncio.get_running_loop().create_task(self._compare_in_background())
        if abs(self._difference) > MAX_DIFFERENCE:
            raise ClockRejected(
                f"the clock of this machine is {abs(self._difference):.0f} seconds {'ahead of' if self._difference > 0 else 'behind'} "
                "the clock of the NATS servers, so nothing is recorded: synchronize both clocks with NTP"
            )

    async def close(self) -> None:
        if self._comparison is not None:
            self._comparison.cancel()
            await asyncio.wait([self._comparison])

    async def _compare_now(self) -> None:
        self.compare(await self._leader.info())

    async def _compare_in_background(self) -> None:
        try:
            await self._compare_now()
        except EventLogError:
            self._compared_at = time.monotonic()
        finally:
            self._comparison = None
