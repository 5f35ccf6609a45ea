"""A client of a cluster: it sends a mutation again, as it is, until it gets a clear answer, and notes when that came."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from tests.integration.keep_alive_client import Client
from tests.integration.server_process import Server

UNCLEAR: Final = frozenset({"LOG_UNAVAILABLE", "APPEND_UNRESOLVED"})
"""Codes of errors after which a mutation may or may not have been recorded, or may be in a moment."""
AGAIN_SECONDS: Final = 0.05
UNTIL_SECONDS: Final = 60.0


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds, which must not block for long."""
    async with asyncio.timeout(UNTIL_SECONDS):
        while True:
            if await asyncio.to_thread(holds):
                return
            await asyncio.sleep(AGAIN_SECONDS)


@dataclass
class Diary:
    """When mutations were acknowledged (monotonic, in seconds), and what was answered to those sent again.

    An acknowledgement of what had been recorded before does not count: that needs no log.
    """

    acknowledged: list[float] = field(default_factory=list)
    waits: list[tuple[float, float]] = field(default_factory=list)
    """When a mutation was acknowledged, and how long it took from when it was first sent."""
    unclear: Counter[str] = field(default_factory=Counter)

    def stall(self, since: float, until: float) -> float:
        """Return the longest time without an acknowledgement between two moments."""
        times = sorted(at for at in self.acknowledged if since < at < until)
        return max(after - before for before, after in itertools.pairwise((since, *times, until)))

    def longest_wait(self, since: float, until: float) -> float:
        """Return the longest that a single mutation took of those acknowledged between two moments."""
        return max((seconds for at, seconds in self.waits if since < at < until), default=0.0)

    async def goes_on(self, since: float, count: int) -> None:
        """Wait until so many mutations have been acknowledged since then."""
        await until(lambda: sum(at > since for at in self.acknowledged) >= count)


class PatientClient(Client):
    """One connection to one node."""

    diary: Diary

    async def execute(self, query: str, **variables: Any) -> tuple[dict[str, Any], int]:
        """Return the data of the first clear answer, with its effect visible, and the position of the views."""
        began = time.monotonic()
        while True:
            status, headers, found = await self._post(query, variables)
            if "errors" in found:
                code = found["errors"][0]["extensions"]["code"]
                assert code in UNCLEAR, found
                assert query.startswith("mutation"), f"a read was refused: {found}"
                self.diary.unclear[code] += 1
            else:
                assert status == 200, found
                data: dict[str, Any] = found["data"]
                if not data.get("outcome", {}).get("viewsBehind"):
                    if "outcome" in data:
                        self._note(began, is_new=not data["outcome"]["replayed"])
                    return data, int(headers["ledgerpress-position"])
                self.diary.unclear["viewsBehind"] += 1
            await asyncio.sleep(AGAIN_SECONDS)

    def _note(self, began: float, *, is_new: bool) -> None:
        now = time.monotonic()
        self.diary.waits.append((now, now - began))
        if is_new:
            self.diary.acknowledged.append(now)


class PatientServer(Server):
    """A running server whose clients are patient."""

    def __init__(self, server: Server, diary: Diary) -> None:
        super().__init__(server._process, server.output)
        self._diary = diary

    async def connect(self, authorization: str | None = None) -> PatientClient:
        """Open a connection to it."""
        plain = await super().connect(authorization)
        client = PatientClient(plain._reader, plain._writer, authorization)
        client.diary = self._diary
        return client
