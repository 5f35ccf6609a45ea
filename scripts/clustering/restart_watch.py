"""After the demonstration: restart the processes that the user kills, and print the effect on writes."""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from scripts.clustering.failure_demonstration import say, start
from scripts.clustering.log_engines import Engine, EngineServer
from scripts.clustering.node import Node
from scripts.clustering.traffic import Traffic

WRITES_A_SECOND: Final = 6.0
STALLED_SECONDS: Final = 2.0
RESTART_AFTER_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.1


class Watch:
    """Monitors every process and the writes, and restarts ended processes after a delay."""

    def __init__(self, engine: Engine, nodes: Sequence[Node], traffic: Traffic) -> None:
        self._parts: list[EngineServer | Node] = [*engine.servers, *nodes]
        self._traffic = traffic
        self._ended: dict[str, float] = {}
        self._stalled_since: float | None = None

    async def run(self) -> None:
        """Watch until the task is cancelled."""
        async with self._traffic.flowing(writes_a_second=WRITES_A_SECOND):
            while True:
                for part in self._parts:
                    await self._check(part)
                self._check_writes()
                await asyncio.sleep(_POLL_SECONDS)

    async def _check(self, part: EngineServer | Node) -> None:
        now = time.monotonic()
        if part.is_running:
            return
        if part.name not in self._ended:
            self._ended[part.name] = now
            say(f"{part.name} has ended. It will be restarted in {RESTART_AFTER_SECONDS:.0f} seconds.")
        elif now - self._ended[part.name] > RESTART_AFTER_SECONDS:
            await start(part)
            del self._ended[part.name]
            say(f"{part.name} is back as process {part.pid}.")

    def _check_writes(self) -> None:
        now = time.monotonic()
        last = max((write.acknowledged for write in self._traffic.written[-10:]), default=now)
        if self._stalled_since is None and now - last > STALLED_SECONDS:
            self._stalled_since = last
            say("Writes have stalled; reads continue.")
        elif self._stalled_since is not None and last > self._stalled_since:
            say(f"Writes continue after {last - self._stalled_since:.1f} s.")
            self._stalled_since = None
