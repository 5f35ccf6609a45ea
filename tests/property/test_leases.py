"""Leases under everything that can go wrong between nodes and their engine: whatever happens, tokens hold.

Every operation may be held up, on its way there or back, for longer than a lease lasts; it may be refused, or be carried
out and its answer lost. Work goes on writing after it was told that it has lost its lease. Time is skipped.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final

from ledgerpress.eventlog.errors import AppendUnresolved, LogUnavailable
from ledgerpress.eventlog.leases import Fence, LeaseLost, Leases
from ledgerpress.eventlog.log import ANY_VERSION, EventLog, StreamWrite
from tests.contract.sample_events import sample_event
from tests.lease_proxies import Door, Engine
from tests.time_skipping_loop import run_skipping

EXAMPLES: Final = int(os.environ.get("LEDGERPRESS_TEST_EXAMPLES", "40"))
NAMES: Final = ("schedules", "webhooks")
NODES: Final = 4
DURATION: Final = 12.0
TROUBLE: Final = 600.0
"""Seconds of trouble; after it everything works."""

Append = Callable[[Fence, EventLog, list[StreamWrite]], Awaitable[int]]


async def fenced(fence: Fence, log: EventLog, writes: list[StreamWrite]) -> int:
    return await fence.append(log, writes)


async def unfenced(fence: Fence, log: EventLog, writes: list[StreamWrite]) -> int:
    return await log.append([*writes, StreamWrite("never.written", 0, ())])


class World:
    """Nodes that work under leases, and what came of it."""

    def __init__(self, seed: int, append: Append) -> None:
        self.chance = Random(seed)
        self.append = append
        self.engine = Engine()
        self.seen = Counter[str]()
        self.working = Counter[str]()
        self.in_trouble = True
        self._writing = set[asyncio.Task[None]]()

    async def run(self) -> None:
        """Let the nodes work, first in trouble, then without."""
        working = [asyncio.create_task(self.node(f"node-{n}", name)) for n in range(NODES) for name in NAMES]
        await asyncio.sleep(TROUBLE)
        self.in_trouble = False
        await asyncio.sleep(10 * DURATION)
        before = {name: len(await self.engine.takings(name)) for name in NAMES}
        await asyncio.sleep(10 * DURATION)
        for name in NAMES:
            assert len(await self.engine.takings(name)) > before[name], f"nobody takes {name} any more"
        for task in working:
            task.cancel()
        await asyncio.wait([*working, *self._writing])
        for task in working:
            assert task.cancelled(), task

    async def node(self, node: str, name: str) -> None:
        door = self.engine.door()
        door.there = door.back = self.hook
        seconds = self.chance.choice((DURATION / 2, DURATION, DURATION * 2))
        leases = self.engine.node(node, duration=seconds, door=door)
        while True:
            try:
                await self.work(leases, door, name)
            except (LeaseLost, LogUnavailable) as error:
                self.seen[type(error).__name__] += 1
                await asyncio.sleep(self.chance.uniform(0, DURATION))

    async def work(self, leases: Leases, door: Door, name: str) -> None:
        async with leases.hold(name) as fence:
            self.working[name] += 1
            try:
                assert self.working[name] == 1, "two work at a time"
                for _ in range(self.chance.randint(1, 6)):
                    await asyncio.sleep(self.chance.uniform(0, DURATION / 2))
                    task = asyncio.create_task(self.write(fence, door))
                    self._writing.add(task)
                    task.add_done_callback(self._writing.discard)
                    if self.chance.random() < 0.7:
                        await asyncio.shield(task)
            finally:
                self.working[name] -= 1

    async def write(self, fence: Fence, door: Door) -> None:
        """Write something, perhaps late, whatever has become of the lease meanwhile."""
        if self.in_trouble and self.chance.random() < 0.3:
            await asyncio.sleep(self.chance.uniform(0, 4 * DURATION))
        event = sample_event(plaintext=str(fence.token).encode())
        try:
            await self.append(fence, door, [StreamWrite(f"work.{fence.lease}", ANY_VERSION, (event,))])
            self.seen["written"] += 1
        except LogUnavailable as error:
            self.seen[type(error).__name__] += 1
        except LeaseLost:
            self.seen["refused"] += 1

    async def hook(self, operation: str) -> None:
        """Do what may happen to an operation on its way, or to its answer."""
        if not self.in_trouble:
            return
        match self.chance.random():
            case luck if luck < 0.05:
                raise LogUnavailable("it is away")
            case luck if luck < 0.1:
                raise (
                    AppendUnresolved("it is not known")
                    if operation == "append"
                    else LogUnavailable("no answer")
                )
            case luck if luck < 0.15:
                await asyncio.sleep(self.chance.uniform(0, 3 * DURATION))
            case luck if luck < 0.5:
                await asyncio.sleep(self.chance.uniform(0, 1))

    def wrong(self) -> list[str]:
        """Return which events were recorded under another token than that of the last taking before them."""
        takings = Counter[str]()
        found = []
        for stored in self.engine.log.events:
            kind, _, name = stored.header.stream.partition(".")
            takings[name] += kind == "lease"
            if kind == "work" and stored.payload and int(stored.payload.plaintext) != takings[name]:
                found.append(f"{stored.position}: {stored.payload.plaintext!r} after {takings[name]}")
        return found


def world(seed: int, append: Append = fenced) -> World:
    """A world after all that happens in it."""
    made = World(seed, append)

    async def run() -> None:
        await made.run()

    run_skipping(run())
    return made


def test_nothing_is_recorded_under_a_token_that_is_not_the_last_whatever_happens() -> None:
    seen = Counter[str]()
    for seed in range(EXAMPLES):
        made = world(seed)
        assert made.wrong() == [], f"seed {seed}"
        seen += made.seen
    print(dict(seen))  # noqa: T201
    assert {"written", "refused", "LeaseLost", "LogUnavailable", "AppendUnresolved"} <= seen.keys()


def test_without_a_fence_it_would_go_wrong() -> None:
    assert any(world(seed, unfenced).wrong() for seed in range(10))
