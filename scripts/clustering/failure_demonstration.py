"""The demonstration: kill one part after another during writes and reads, and print the effect of each kill."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from scripts.clustering.log_engines import Engine, EngineServer
from scripts.clustering.node import Node
from scripts.clustering.node_agreement import NodeState, agreement, faults
from scripts.clustering.traffic import Traffic

WRITES_A_SECOND: Final = 15.0
PRELUDE_SECONDS: Final = 2.0


class Disagreement(Exception):
    """The nodes differ, or the log lacks or repeats an acknowledged write. This must never happen."""


class Show:
    """Kills the leader of the log, stops the leader gracefully, kills a node, then compares all nodes and the log."""

    def __init__(self, engine: Engine, nodes: Sequence[Node], traffic: Traffic) -> None:
        self._engine = engine
        self._nodes = nodes
        self._traffic = traffic

    async def run(self) -> None:
        """Run the whole demonstration. Raises `Disagreement`."""
        say(
            f"\nThe demonstration: about {WRITES_A_SECOND:.0f} writes per second through the three nodes, "
            "and ten reads per second from each node.\n"
            "If a write is temporarily rejected or its result is unknown, it is sent again to the next node "
            "with the same idempotency key."
        )
        async with self._traffic.flowing(writes_a_second=WRITES_A_SECOND):
            await self._end_leader(self._engine.killed, lambda server: server.kill())
            await self._end_leader("stopped gracefully", lambda server: server.stop())
            await self._kill_node(self._nodes[1])
            await asyncio.sleep(1)
        await self._compare()

    async def _end_leader(self, how: str, end: Callable[[EngineServer], None]) -> None:
        await asyncio.sleep(PRELUDE_SECONDS)
        leader = await self._leader()
        alone = len(self._engine.servers) == 1
        role = "holds the log" if alone else "leads the log's stream"
        say(f"\n{leader.name}, process {leader.pid}, {role}. It is now {how}.")
        began = time.monotonic()
        await asyncio.to_thread(end, leader)
        if alone:
            await asyncio.sleep(PRELUDE_SECONDS)
            await self._restart(leader)
        else:
            say(f"  {(await self._leader()).name} is the new leader.")
        await self._traffic.first_write_after(began)
        await asyncio.sleep(1)
        self._say_stalls(began, time.monotonic())
        if not alone:
            await self._restart(leader)
        await asyncio.to_thread(self._engine.wait_current)
        if not alone:
            say("  All three servers have the complete log again.")

    async def _leader(self) -> EngineServer:
        while True:
            if (leader := await asyncio.to_thread(self._engine.leader)) is not None:
                return leader
            await asyncio.sleep(0.1)

    async def _kill_node(self, node: Node) -> None:
        await asyncio.sleep(PRELUDE_SECONDS)
        say(f"\n{node.name}, process {node.pid}, is now killed.")
        began = time.monotonic()
        await node.kill()
        await asyncio.sleep(PRELUDE_SECONDS)
        self._say_stalls(began, time.monotonic(), but=node)
        await self._restart(node)

    async def _restart(self, server: EngineServer | Node) -> None:
        began = time.monotonic()
        await start(server)
        state = "ready, with all events of the log," if isinstance(server, Node) else "ready"
        say(f"  {server.name} is restarted as process {server.pid}, and {state} after {_since(began)}.")

    def _say_stalls(self, since: float, until: float, but: Node | None = None) -> None:
        say(f"  Writes stalled for {self._traffic.stall(since, until):.2f} s.")
        for node in self._nodes:
            reads = [
                read for read in self._traffic.reads if read.node == node.name and since <= read.at <= until
            ]
            failed = sum(not read.succeeded for read in reads)
            if node is not but and reads:
                slowest = max(read.seconds for read in reads) * 1_000
                say(
                    f"  Reads from {node.name} meanwhile: {len(reads) - failed} succeeded, "
                    f"the slowest in {slowest:.0f} ms; {failed or 'none'} failed."
                )

    async def _compare(self) -> None:
        await report_agreement(self._engine, self._nodes, self._traffic)


async def report_agreement(engine: Engine, nodes: Sequence[Node], traffic: Traffic) -> None:
    """Print the state of each node and the number of writes. Raises `Disagreement`."""
    states = await agreement(nodes)
    say("\nThe writes have stopped. The state of the nodes:")
    for node, state in zip(nodes, states, strict=True):
        say(
            f"  {node.name}  position {state.position:,}  Merkle root {state.root[:16]}…  "
            f"digest of the views {state.views[:16]}…"
        )
    wrong = await faults(engine.url, traffic.written)
    say(
        f"  {len(traffic.written):,} writes acknowledged. Attempts that were repeated: "
        f"{_counted(traffic.rejected)} rejected, {_counted(traffic.unclear)} with an unknown result."
    )
    if wrong or not _all_equal(states):
        raise Disagreement("; ".join([*wrong[:5], *(() if _all_equal(states) else ("the nodes differ",))]))
    say("  The three nodes agree. Each acknowledged write is in the log exactly once.")


def _counted(results: Counter[str]) -> str:
    listed = ", ".join(f"{code} {number}" for code, number in results.most_common())
    return f"{results.total():,} ({listed})" if listed else "none"


def _all_equal(states: Sequence[NodeState]) -> bool:
    return len(set(states)) == 1


async def start(server: EngineServer | Node) -> None:
    """Start a server of the engine, or a node."""
    if isinstance(server, Node):
        await server.start()
    else:
        await asyncio.to_thread(server.start)


def say(line: str) -> None:
    """Print a line immediately, also if the output is not a terminal."""
    print(line, flush=True)


def _since(began: float) -> str:
    return f"{time.monotonic() - began:.1f} s"
