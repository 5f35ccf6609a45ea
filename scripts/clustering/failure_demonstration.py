"""The show: one part after another is killed while writes and reads go on, and what that does is printed."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from scripts.clustering.log_engines import Engine, EngineServer
from scripts.clustering.node import Node
from scripts.clustering.node_agreement import Seen, agreement, faults
from scripts.clustering.traffic import Traffic

WRITES_A_SECOND: Final = 15.0
PRELUDE_SECONDS: Final = 2.0


class Disagreement(Exception):
    """Something that must never happen has happened."""


class Show:
    """Kills the leader, stops it in order, and kills a node; then compares all nodes with one another and the log."""

    def __init__(self, engine: Engine, nodes: Sequence[Node], traffic: Traffic) -> None:
        self._engine = engine
        self._nodes = nodes
        self._traffic = traffic

    async def run(self) -> None:
        """Run it to its end. Raises `Disagreement`."""
        say(
            f"\nThe show: about {WRITES_A_SECOND:.0f} writes a second through the three nodes, and ten reads a second "
            "at each.\nA write that is refused for now, or gets no clear answer, is sent again under its idempotency key, to the next "
            "node."
        )
        async with self._traffic.flowing(writes_a_second=WRITES_A_SECOND):
            await self._engine_goes(self._engine.killed, lambda server: server.kill())
            await self._engine_goes("stopped in order", lambda server: server.stop())
            await self._node_goes(self._nodes[1])
            await asyncio.sleep(1)
        await self._compare()

    async def _engine_goes(self, how: str, end: Callable[[EngineServer], None]) -> None:
        await asyncio.sleep(PRELUDE_SECONDS)
        leader = await self._leader()
        alone = len(self._engine.servers) == 1
        role = "holds the log" if alone else "leads the log's stream"
        say(f"\n{leader.name}, process {leader.pid}, {role}. It is {how}.")
        began = time.monotonic()
        await asyncio.to_thread(end, leader)
        if alone:
            await asyncio.sleep(PRELUDE_SECONDS)
            await self._back(leader)
        else:
            say(f"  {(await self._leader()).name} leads now.")
        await self._traffic.first_write_after(began)
        await asyncio.sleep(1)
        self._say_what_stalled(began, time.monotonic())
        if not alone:
            await self._back(leader)
        await asyncio.to_thread(self._engine.wait_current)
        if not alone:
            say("  All three have the whole log again.")

    async def _leader(self) -> EngineServer:
        while True:
            if (found := await asyncio.to_thread(self._engine.leader)) is not None:
                return found
            await asyncio.sleep(0.1)

    async def _node_goes(self, node: Node) -> None:
        await asyncio.sleep(PRELUDE_SECONDS)
        say(f"\n{node.name}, process {node.pid}, is killed.")
        began = time.monotonic()
        await node.kill()
        await asyncio.sleep(PRELUDE_SECONDS)
        self._say_what_stalled(began, time.monotonic(), but=node)
        await self._back(node)

    async def _back(self, server: EngineServer | Node) -> None:
        began = time.monotonic()
        await start(server)
        what = "ready, caught up with the log," if isinstance(server, Node) else "up"
        say(f"  {server.name} is started again, as process {server.pid}, and {what} after {_since(began)}.")

    def _say_what_stalled(self, since: float, until: float, but: Node | None = None) -> None:
        say(f"  Writes stalled for {self._traffic.stall(since, until):.2f} s.")
        for node in self._nodes:
            reads = [one for one in self._traffic.reads if one.node == node.name and since <= one.at <= until]
            failed = sum(not one.well for one in reads)
            if node is not but and reads:
                slowest = max(one.seconds for one in reads) * 1_000
                say(
                    f"  Reads at {node.name}: {len(reads) - failed} answered meanwhile, the slowest in {slowest:.0f} ms; "
                    f"{failed or 'none'} failed."
                )

    async def _compare(self) -> None:
        await say_whether_they_agree(self._engine, self._nodes, self._traffic)


async def say_whether_they_agree(engine: Engine, nodes: Sequence[Node], traffic: Traffic) -> None:
    """Print what the nodes have come to, and what became of the writes. Raises `Disagreement`."""
    found = await agreement(nodes)
    say("\nThe writes have stopped. What the nodes have come to:")
    for node, one in zip(nodes, found, strict=True):
        say(
            f"  {node.name}  position {one.position:,}  Merkle root {one.root[:16]}…  all rows of the views {one.views[:16]}…"
        )
    wrong = await faults(engine.url, traffic.written)
    say(
        f"  {len(traffic.written):,} writes acknowledged. Attempts that were repeated: {_counted(traffic.refused)} had a "
        f"clear no, {_counted(traffic.unclear)} had no clear answer."
    )
    if wrong or not _one(found):
        raise Disagreement("; ".join([*wrong[:5], *(() if _one(found) else ("the nodes differ",))]))
    say("  The three nodes agree. Each acknowledged write is in the log once; none is lost.")


def _counted(answers: Counter[str]) -> str:
    named = ", ".join(f"{code} {number}" for code, number in answers.most_common())
    return f"{answers.total():,} ({named})" if named else "none"


def _one(found: Sequence[Seen]) -> bool:
    return len(set(found)) == 1


async def start(server: EngineServer | Node) -> None:
    """Start a server of the engine, or a node."""
    if isinstance(server, Node):
        await server.start()
    else:
        await asyncio.to_thread(server.start)


def say(line: str) -> None:
    """Print a line at once, whoever reads along."""
    print(line, flush=True)


def _since(began: float) -> str:
    return f"{time.monotonic() - began:.1f} s"
