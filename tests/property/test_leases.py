"""Leases under all faults between nodes and their engine: no event is recorded with an outdated token.

Each request or response may be delayed for longer than a lease lasts. An operation may be rejected, or run although its
response is lost. Work continues to write after it has lost its lease. Time is skipped.
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
from tests.lease_proxies import Engine, LogProxy
from tests.time_skipping_loop import run_skipping

EXAMPLES: Final = int(os.environ.get("LEDGERPRESS_TEST_EXAMPLES", "40"))
NAMES: Final = ("schedules", "webhooks")
NODES: Final = 4
DURATION: Final = 12.0
FAULTY_SECONDS: Final = 600.0
"""Seconds with faults; after that everything works."""

Append = Callable[[Fence, EventLog, list[StreamWrite]], Awaitable[int]]


async def fenced(fence: Fence, log: EventLog, writes: list[StreamWrite]) -> int:
    return await fence.append(log, writes)


async def unfenced(fence: Fence, log: EventLog, writes: list[StreamWrite]) -> int:
    return await log.append([*writes, StreamWrite("never.written", 0, ())])


class World:
    """Nodes that work under leases, and the outcomes."""

    def __init__(self, seed: int, append: Append) -> None:
        self.chance = Random(seed)
        self.append = append
        self.engine = Engine()
        self.counts = Counter[str]()
        self.working = Counter[str]()
        self.is_faulty = True
        self._writing = set[asyncio.Task[None]]()

    async def run(self) -> None:
        """Let the nodes work, first with faults, then without."""
        working = [asyncio.create_task(self.node(f"node-{n}", name)) for n in range(NODES) for name in NAMES]
        await asyncio.sleep(FAULTY_SECONDS)
        self.is_faulty = False
        await asyncio.sleep(10 * DURATION)
        before = {name: len(await self.engine.takings(name)) for name in NAMES}
        await asyncio.sleep(10 * DURATION)
        for name in NAMES:
            assert len(await self.engine.takings(name)) > before[name], f"no node takes {name} again"
        for task in working:
            task.cancel()
        await asyncio.wait([*working, *self._writing])
        for task in working:
            assert task.cancelled(), task

    async def node(self, node: str, name: str) -> None:
        proxy = self.engine.proxy()
        proxy.there = proxy.back = self.hook
        seconds = self.chance.choice((DURATION / 2, DURATION, DURATION * 2))
        leases = self.engine.node(node, duration=seconds, proxy=proxy)
        while True:
            try:
                await self.work(leases, proxy, name)
            except (LeaseLost, LogUnavailable) as error:
                self.counts[type(error).__name__] += 1
                await asyncio.sleep(self.chance.uniform(0, DURATION))

    async def work(self, leases: Leases, proxy: LogProxy, name: str) -> None:
        async with leases.hold(name) as fence:
            self.working[name] += 1
            try:
                assert self.working[name] == 1, "two nodes work at the same time"
                for _ in range(self.chance.randint(1, 6)):
                    await asyncio.sleep(self.chance.uniform(0, DURATION / 2))
                    task = asyncio.create_task(self.write(fence, proxy))
                    self._writing.add(task)
                    task.add_done_callback(self._writing.discard)
                    if self.chance.random() < 0.7:
                        await asyncio.shield(task)
            finally:
                self.working[name] -= 1

    async def write(self, fence: Fence, proxy: LogProxy) -> None:
        """Append an event, sometimes late, even if the lease is lost by then."""
        if self.is_faulty and self.chance.random() < 0.3:
            await asyncio.sleep(self.chance.uniform(0, 4 * DURATION))
        event = sample_event(plaintext=str(fence.token).encode())
        try:
            await self.append(fence, proxy, [StreamWrite(f"work.{fence.lease}", ANY_VERSION, (event,))])
            self.counts["written"] += 1
        except LogUnavailable as error:
            self.counts[type(error).__name__] += 1
        except LeaseLost:
            self.counts["refused"] += 1

    async def hook(self, operation: str) -> None:
        """Inject a fault or a delay before an operation or before its response."""
        if not self.is_faulty:
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
        """Return the events that were recorded with a token other than the latest one before them."""
        takings = Counter[str]()
        problems = []
        for stored in self.engine.log.events:
            kind, _, name = stored.header.stream.partition(".")
            takings[name] += kind == "lease"
            if kind == "work" and stored.payload and int(stored.payload.plaintext) != takings[name]:
                problems.append(f"{stored.position}: {stored.payload.plaintext!r} after {takings[name]}")
        return problems


def world(seed: int, append: Append = fenced) -> World:
    """Return a world after its run."""
    instance = World(seed, append)

    async def run() -> None:
        await instance.run()

    run_skipping(run())
    return instance


def test_no_event_is_recorded_with_an_outdated_token() -> None:
    counts = Counter[str]()
    for seed in range(EXAMPLES):
        instance = world(seed)
        assert instance.wrong() == [], f"seed {seed}"
        counts += instance.counts
    print(dict(counts))  # noqa: T201
    assert {"written", "refused", "LeaseLost", "LogUnavailable", "AppendUnresolved"} <= counts.keys()


def test_events_with_outdated_tokens_are_recorded_without_fencing() -> None:
    assert any(world(seed, unfenced).wrong() for seed in range(10))
