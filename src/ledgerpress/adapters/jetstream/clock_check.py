"""Compares this machine's clock with the engine's: whoever is far off must not record at what time things happened."""

import asyncio
import time
from datetime import datetime
from typing import Final

from ledgerpress.adapters.jetstream.leader_requests import LeaderRequests, StreamInfo
from ledgerpress.eventlog.errors import EventLogError, LogUnavailable

MOST: Final = 5.0
"""Seconds by which the clocks may differ."""
LOOK_EVERY: Final = 30.0


class ClockCheck:
    """How far this machine's clock is from that of the stream's leader, as of the last look."""

    def __init__(self, leader: LeaderRequests) -> None:
        self._leader = leader
        self._off = 0.0
        self._looked = float("-inf")
        self._looking: asyncio.Task[None] | None = None

    def look(self, info: StreamInfo) -> None:
        """Compare with the time at which the leader said this, just now."""
        self._looked = time.monotonic()
        with_zone = info.ts[:26].rstrip("Z") + "+00:00"
        try:
            self._off = time.time() - datetime.fromisoformat(with_zone).timestamp()  # noqa: TID251
        except ValueError:
            self._off = 0.0

    async def check(self) -> None:
        """Raise `LogUnavailable` where the clocks differ too much. Looks anew now and then, without anybody waiting."""
        if abs(self._off) > MOST:
            await self._look_again()
        elif time.monotonic() - self._looked > LOOK_EVERY and self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._look_aside())
        if abs(self._off) > MOST:
            raise LogUnavailable(
                f"the clock of this machine is {abs(self._off):.0f} seconds {'ahead of' if self._off > 0 else 'behind'} "
                "that of the NATS servers, so nothing is recorded: have both set by NTP"
            )

    async def close(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])

    async def _look_again(self) -> None:
        self.look(await self._leader.info())

    async def _look_aside(self) -> None:
        try:
            await self._look_again()
        except EventLogError:
            self._looked = time.monotonic()
        finally:
            self._looking = None
