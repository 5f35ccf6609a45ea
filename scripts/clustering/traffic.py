"""Writes and reads that go on at a steady pace, through every node, whatever happens to it, and what came of them.

A write that got a clear no for now, or no clear answer, is sent again under its idempotency key, to whichever node is
there: as a client behind a load balancer does. So it is recorded once, and nobody has to know what became of the first attempt.
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from scripts.clustering.node import Answer, Node, NodeAway, NodeGone

READ_EVERY_SECONDS: Final = 0.1
AGAIN_AFTER_SECONDS: Final = 0.05

_CLEAR: Final = ("LOG_UNAVAILABLE", "BUSY", "TOO_BUSY")
"""Codes which say that nothing was recorded."""

_READ: Final = "{ recentPosts(first: 3) { nodes { title } } }"
_WRITE: Final = """mutation ($input: PostCreateInput!) { postCreate(input: $input) {
    position replayed userErrors { code message }
} }"""


@dataclass(frozen=True, slots=True)
class Written:
    """A write that was acknowledged. Times are of the monotonic clock, in seconds."""

    key: str
    position: int
    is_new: bool
    """Whether it was recorded just now: an earlier attempt whose answer was not clear may have been."""
    sent: float
    acknowledged: float


@dataclass(frozen=True, slots=True)
class Read:
    """A read of a node, and whether it was answered as it should be."""

    node: str
    at: float
    seconds: float
    well: bool


class Traffic:
    """What was written and read so far."""

    def __init__(self, nodes: Sequence[Node], token: str, *, run: str) -> None:
        """`run` makes the keys of this run's writes different from any other's."""
        self._nodes = nodes
        self._token = token
        self._run = run
        self._numbers = itertools.count(1)
        self.written: list[Written] = []
        self.reads: list[Read] = []
        self.refused: Counter[str] = Counter()
        """What was answered to writes that were sent again, where it is clear that nothing was recorded."""
        self.unclear: Counter[str] = Counter()
        """The same, where it was not clear."""

    @asynccontextmanager
    async def flowing(self, *, writes_a_second: float) -> AsyncIterator[None]:
        """Let it flow. On the way out, writes under way are acknowledged first."""
        stop = asyncio.Event()
        pause = len(self._nodes) / writes_a_second
        writers = [
            asyncio.create_task(self._write_on(index, pause, stop)) for index in range(len(self._nodes))
        ]
        readers = [asyncio.create_task(self._read_on(node, stop)) for node in self._nodes]
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
            for one in reversed(self.written):
                if one.sent > moment:
                    return min((w for w in self.written if w.sent > moment), key=lambda w: w.acknowledged)
                break
            await asyncio.sleep(0.02)

    def stall(self, since: float, until: float) -> float:
        """Return the longest time in which nothing new was recorded from `since` on; an open end counts too."""
        times = sorted(
            one.acknowledged for one in self.written if one.is_new and since <= one.acknowledged <= until
        )
        return max(
            (after - before for before, after in itertools.pairwise((since, *times, until))), default=0.0
        )

    async def _write_on(self, index: int, pause: float, stop: asyncio.Event) -> None:
        while not stop.is_set():
            number = next(self._numbers)
            await self._write(
                index, f"{self._run}-{number}", f"Bulletin {number}, by way of {self._nodes[index].name}"
            )
            await _pause(pause, stop)

    async def _write(self, index: int, key: str, title: str) -> None:
        sent = time.monotonic()
        content = {"title": title, "body": "Nothing to report.", "publish": True, "idempotencyKey": key}
        for turn in itertools.count(index):
            try:
                answer = await self._nodes[turn % len(self._nodes)].ask(_WRITE, self._token, input=content)
            except NodeAway:
                self.refused["connection refused"] += 1
            except NodeGone:
                self.unclear["no answer"] += 1
            else:
                if (done := _done(answer)) is not None:
                    position, is_new = done
                    self.written.append(Written(key, position, is_new, sent, time.monotonic()))
                    return
                said = answer.code or ("BUSY" if answer.status == 200 else f"status {answer.status}")
                (self.refused if said in _CLEAR else self.unclear)[said] += 1
            await asyncio.sleep(AGAIN_AFTER_SECONDS)

    async def _read_on(self, node: Node, stop: asyncio.Event) -> None:
        while not stop.is_set():
            began = time.monotonic()
            try:
                answer = await node.ask(_READ)
                well = answer.status == 200 and bool(answer.body["data"]["recentPosts"]["nodes"])
            except NodeGone:
                well = False
            self.reads.append(Read(node.name, began, time.monotonic() - began, well))
            await _pause(READ_EVERY_SECONDS, stop)


def _done(answer: Answer) -> tuple[int, bool] | None:
    """Return the position of what was written, and whether just now; `None` where it is to be sent again.

    Raises `RuntimeError` where it was refused for good.
    """
    if answer.code is not None or answer.status != 200:
        return None
    outcome = answer.body["data"]["postCreate"]
    if outcome["userErrors"]:
        if outcome["userErrors"][0]["code"] == "BUSY":
            return None
        raise RuntimeError(f"a write was refused: {outcome['userErrors'][0]['message']}")
    return int(outcome["position"]), not outcome["replayed"]


async def _pause(seconds: float, stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
