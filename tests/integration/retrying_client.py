"""A client of a cluster that repeats each mutation until it gets a clear response, and records when that arrived."""

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
"""Error codes after which a mutation may have been recorded, may be recorded soon, or not at all."""
AGAIN_SECONDS: Final = 0.05
UNTIL_SECONDS: Final = 60.0


async def until(holds: Callable[[], bool]) -> None:
    """Wait until `holds` returns true; it runs in a thread and must not block for long."""
    async with asyncio.timeout(UNTIL_SECONDS):
        while True:
            if await asyncio.to_thread(holds):
                return
            await asyncio.sleep(AGAIN_SECONDS)


@dataclass
class Diary:
    """The times of acknowledgements in monotonic seconds, and the unclear responses before them, by error code.

    `acknowledged` does not contain replayed mutations, because these need no log.
    """

    acknowledged: list[float] = field(default_factory=list)
    waits: list[tuple[float, float]] = field(default_factory=list)
    """For each mutation, the time of its acknowledgement and the seconds since it was first sent."""
    unclear: Counter[str] = field(default_factory=Counter)

    def stall(self, since: float, until: float) -> float:
        """Return the longest period without an acknowledgement between two times, in seconds."""
        times = sorted(at for at in self.acknowledged if since < at < until)
        return max(after - before for before, after in itertools.pairwise((since, *times, until)))

    def longest_wait(self, since: float, until: float) -> float:
        """Return the longest duration of a mutation that was acknowledged between two times, in seconds."""
        return max((seconds for at, seconds in self.waits if since < at < until), default=0.0)

    async def goes_on(self, since: float, count: int) -> None:
        """Wait until `count` mutations have been acknowledged after the time `since`."""
        await until(lambda: sum(at > since for at in self.acknowledged) >= count)


class PatientClient(Client):
    """A connection to a node that repeats mutations until the response is clear."""

    diary: Diary

    async def execute(self, query: str, **variables: Any) -> tuple[dict[str, Any], int]:
        """Return the data of the first clear response, with its effect visible, and the position of the views."""
        began = time.monotonic()
        while True:
            status, headers, body = await self._post(query, variables)
            if "errors" in body:
                code = body["errors"][0]["extensions"]["code"]
                assert code in UNCLEAR, body
                assert query.startswith("mutation"), f"a read failed: {body}"
                self.diary.unclear[code] += 1
            else:
                assert status == 200, body
                data: dict[str, Any] = body["data"]
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
    """A running server whose clients are `PatientClient`s."""

    def __init__(self, server: Server, diary: Diary) -> None:
        super().__init__(server._process, server.output)
        self._diary = diary

    async def connect(self, authorization: str | None = None) -> PatientClient:
        """Open a connection to the server."""
        plain = await super().connect(authorization)
        client = PatientClient(plain._reader, plain._writer, authorization)
        client.diary = self._diary
        return client
