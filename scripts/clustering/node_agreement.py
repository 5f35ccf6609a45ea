"""Compare the nodes: their positions, the Merkle roots of the log, and all rows of their views."""

import asyncio
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledgerpress.features.integrity.merkle_tree_projection import root
from ledgerpress.features.registry import all_projectors, event_codec
from ledgerpress.server.log_factory import open_log
from ledgerpress.server.log_url import LogUrl
from ledgerpress.views.files.comparison import table_digests
from ledgerpress.views.files.verification_by_rebuild import reading
from ledgerpress.views.files.views_directory import ViewsDirectory
from ledgerpress.views.projection.checkpoints import BOOKKEEPING
from scripts.clustering.node import Node
from scripts.clustering.traffic import Written

AGREE_SECONDS: Final = 60.0
_BATCH: Final = 5_000


@dataclass(frozen=True, slots=True)
class NodeState:
    """The state of a node's views at a position: the Merkle root of the log and a digest of all rows, both in hex."""

    position: int
    root: str
    views: str


def seen(data: Path) -> NodeState:
    """Return the state of the views in a data directory."""
    with reading(ViewsDirectory(data, all_projectors()).current) as snapshot:
        if snapshot is None:
            return NodeState(0, "", "")
        digests = table_digests(snapshot.db, BOOKKEEPING)
        views = hashlib.sha256(repr(sorted(digests.items())).encode()).hexdigest()
        return NodeState(snapshot.position, root(snapshot).hex(), views)


async def agreement(nodes: Sequence[Node]) -> list[NodeState]:
    """Return the state of each node once all have the same position, or after `AGREE_SECONDS`."""
    give_up = time.monotonic() + AGREE_SECONDS
    while True:
        states = [seen(node.data) for node in nodes]
        if len({state.position for state in states}) == 1 or time.monotonic() > give_up:
            return states
        await asyncio.sleep(0.2)


async def faults(url: str, written: Sequence[Written]) -> list[str]:
    """Return the faults of the log: gaps, and acknowledged writes that are missing, repeated or at another position."""
    positions: dict[str, list[int]] = {}
    commands: dict[str, set[str]] = {}
    problems = []
    log = await open_log(LogUrl.parse(url), Path(), create_as=None)
    try:
        codec, after = event_codec(), 0
        while batch := await log.read(after, _BATCH):
            for event in codec.decode_all(batch):
                if event.position != after + 1:
                    problems.append(f"position {after} is followed by {event.position}")
                after = event.position
                if event.idempotency_key is not None:
                    positions.setdefault(event.idempotency_key, []).append(event.position)
                    commands.setdefault(event.idempotency_key, set()).add(event.header.command_id)
    finally:
        await log.aclose()
    for write in written:
        recorded = positions.get(write.key, [])
        if not recorded:
            problems.append(
                f"{write.key}, acknowledged at position {write.position}, is missing from the log"
            )
        elif recorded != list(range(recorded[0], write.position + 1)) or len(commands[write.key]) > 1:
            problems.append(
                f"{write.key}, acknowledged at position {write.position}, is at {recorded} in the log"
            )
    return problems
