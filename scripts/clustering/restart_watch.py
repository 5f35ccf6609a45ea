"""After the show: writes go on slowly, somebody kills what they like, and what that does is printed."""

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
BACK_AFTER_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.1


class Watch:
    """Looks at every process and at the writes. What is gone is started again after a while."""

    def __init__(self, engine: Engine, nodes: Sequence[Node], traffic: Traffic) -> None:
        self._parts: list[EngineServer | Node] = [*engine.servers, *nodes]
        self._traffic = traffic
        self._gone: dict[str, float] = {}
        self._stalled_since: float | None = None

    async def run(self) -> None:
        """Watch until somebody ends it."""
        async with self._traffic.flowing(writes_a_second=WRITES_A_SECOND):
            while True:
                for part in self._parts:
                    await self._look_at(part)
                self._look_at_writes()
                await asyncio.sleep(_LOOK_SECONDS)

    async def _look_at(self, part: EngineServer | Node) -> None:
        now = time.monotonic()
        if part.is_running:
            return
        if part.name not in self._gone:
            self._gone[part.name] = now
            say(f"{part.name} is gone. It is started again in {BACK_AFTER_SECONDS:.0f} seconds.")
        elif now - self._gone[part.name] > BACK_AFTER_SECONDS:
            await start(part)
            del self._gone[part.name]
            say(f"{part.name} is back, as process {part.pid}.")

    def _look_at_writes(self) -> None:
        now = time.monotonic()
        last = max((one.acknowledged for one in self._traffic.written[-10:]), default=now)
        if self._stalled_since is None and now - last > STALLED_SECONDS:
            self._stalled_since = last
            say("Writes stall; reads go on.")
        elif self._stalled_since is not None and last > self._stalled_since:
            say(f"Writes go on, after {last - self._stalled_since:.1f} s.")
            self._stalled_since = None
