"""Steady writes and reads through every node, even while nodes fail, and their results.

If a write is temporarily rejected or its result is unknown, it is sent again to the next node with the same idempotency
key, as a client behind a load balancer would do. So it is recorded once, whether or not the first attempt was recorded.
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from scripts.clustering.node import Node, NodeGone, NodeUnreachable, Response

READ_EVERY_SECONDS: Final = 0.1
RETRY_AFTER_SECONDS: Final = 0.05

_REJECTED: Final = ("LOG_UNAVAILABLE", "BUSY", "TOO_BUSY")
"""Error codes with which the server states that nothing was recorded."""

_READ: Final = "{ recentPosts(first: 3) { nodes { title } } }"
_WRITE: Final = """mutation ($input: PostCreateInput!) { postCreate(input: $input) {
    position replayed userErrors { code message }
} }"""


@dataclass(frozen=True, slots=True)
class Written:
    """An acknowledged write. Times are in seconds of the monotonic clock."""

    key: str
    position: int
    is_new: bool
    """Whether this attempt recorded the write, not an earlier one whose result was unknown."""
    sent: float
    acknowledged: float


@dataclass(frozen=True, slots=True)
class Read:
    """A read from a node."""

    node: str
    at: float
    seconds: float
    succeeded: bool
    """Whether the node returned posts."""


class Traffic:
    """Sends writes and reads, and collects their results."""

    def __init__(self, nodes: Sequence[Node], token: str, *, run: str) -> None:
        """`run` is a prefix that makes the idempotency keys of this run unique."""
        self._nodes = nodes
        self._token = token
        self._run = run
        self._numbers = itertools.count(1)
        self.written: list[Written] = []
        self.reads: list[Read] = []
        self.rejected: Counter[str] = Counter()
        """Attempts that were repeated and certainly recorded nothing, by the reason."""
        self.unclear: Counter[str] = Counter()
        """Attempts that were repeated and may have recorded the write, by the reason."""

    @asynccontextmanager
    async def flowing(self, *, writes_a_second: float) -> AsyncIterator[None]:
        """Send traffic during the `with` block. At its end, wait until the writes in progress are acknowledged."""
        stop = asyncio.Event()
        interval = len(self._nodes) / writes_a_second
        writers = [
            asyncio.create_task(self._write_repeatedly(index, interval, stop))
            for index in range(len(self._nodes))
        ]
        readers = [asyncio.create_task(self._read_repeatedly(node, stop)) for node in self._nodes]
        try:
            yield
            stop.set()
            await asyncio.gather(*writers, *readers)
        finally:
            for task in (*writers, *readers):
                task.cancel()
            await asyncio.gather(*writers, *readers, return_exceptions=True)

    async def first_write_after(self, moment: float) -> Written:
        """Wait for the first acknowledgement of a write that was sent after `moment`."""
        while True:
            for last in reversed(self.written):
                if last.sent > moment:
                    return min((w for w in self.written if w.sent > moment), key=lambda w: w.acknowledged)
                break
            await asyncio.sleep(0.02)

    def stall(self, since: float, until: float) -> float:
        """Return the longest time between `since` and `until` in which nothing new was recorded, in seconds."""
        times = sorted(
            write.acknowledged
            for write in self.written
            if write.is_new and since <= write.acknowledged <= until
        )
        return max(
            (after - before for before, after in itertools.pairwise((since, *times, until))), default=0.0
        )

    async def _write_repeatedly(self, index: int, interval: float, stop: asyncio.Event) -> None:
        while not stop.is_set():
            number = next(self._numbers)
            await self._write(
                index, f"{self._run}-{number}", f"Bulletin {number}, by way of {self._nodes[index].name}"
            )
            await _wait(interval, stop)

    async def _write(self, index: int, key: str, title: str) -> None:
        sent = time.monotonic()
        content = {"title": title, "body": "Nothing to report.", "publish": True, "idempotencyKey": key}
        for turn in itertools.count(index):
            try:
                response = await self._nodes[turn % len(self._nodes)].ask(_WRITE, self._token, input=content)
            except NodeUnreachable:
                self.rejected["connection refused"] += 1
            except NodeGone:
                self.unclear["no response"] += 1
            else:
                if (result := _recorded(response)) is not None:
                    position, is_new = result
                    self.written.append(Written(key, position, is_new, sent, time.monotonic()))
                    return
                reason = response.code or ("BUSY" if response.status == 200 else f"status {response.status}")
                (self.rejected if reason in _REJECTED else self.unclear)[reason] += 1
            await asyncio.sleep(RETRY_AFTER_SECONDS)

    async def _read_repeatedly(self, node: Node, stop: asyncio.Event) -> None:
        while not stop.is_set():
            began = time.monotonic()
            try:
                response = await node.ask(_READ)
                succeeded = response.status == 200 and bool(response.body["data"]["recentPosts"]["nodes"])
            except NodeGone:
                succeeded = False
            self.reads.append(Read(node.name, began, time.monotonic() - began, succeeded))
            await _wait(READ_EVERY_SECONDS, stop)


def _recorded(response: Response) -> tuple[int, bool] | None:
    """Return the position of the write and whether this attempt recorded it, or `None` if the write must be repeated.

    Raises `RuntimeError` if the write was rejected permanently.
    """
    if response.code is not None or response.status != 200:
        return None
    outcome = response.body["data"]["postCreate"]
    if outcome["userErrors"]:
        if outcome["userErrors"][0]["code"] == "BUSY":
            return None
        raise RuntimeError(f"a write was rejected: {outcome['userErrors'][0]['message']}")
    return int(outcome["position"]), not outcome["replayed"]


async def _wait(seconds: float, stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
