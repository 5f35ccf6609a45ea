"""Whether the nodes agree: on the position, on the root of the log's Merkle tree, and on every row of their views."""

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
class Seen:
    """What a node's views come to at a position: the root of the tree of events, and a digest of all rows, in hex."""

    position: int
    root: str
    views: str


def seen(data: Path) -> Seen:
    """Return what the views in a data directory come to."""
    with reading(ViewsDirectory(data, all_projectors()).current) as snapshot:
        if snapshot is None:
            return Seen(0, "", "")
        digests = table_digests(snapshot.db, BOOKKEEPING)
        views = hashlib.sha256(repr(sorted(digests.items())).encode()).hexdigest()
        return Seen(snapshot.position, root(snapshot).hex(), views)


async def agreement(nodes: Sequence[Node]) -> list[Seen]:
    """Return what each node has seen, as soon as they are at one position; at the latest after a bound."""
    give_up = time.monotonic() + AGREE_SECONDS
    while True:
        found = [seen(node.data) for node in nodes]
        if len({one.position for one in found}) == 1 or time.monotonic() > give_up:
            return found
        await asyncio.sleep(0.2)


async def faults(url: str, written: Sequence[Written]) -> list[str]:
    """Return what is wrong with the log: a gap, or an acknowledged write that it lacks, or has twice or elsewhere."""
    positions: dict[str, list[int]] = {}
    commands: dict[str, set[str]] = {}
    found = []
    log = await open_log(LogUrl.parse(url), Path(), create_as=None)
    try:
        codec, after = event_codec(), 0
        while batch := await log.read(after, _BATCH):
            for event in codec.decode_all(batch):
                if event.position != after + 1:
                    found.append(f"after position {after} comes {event.position}")
                after = event.position
                if event.idempotency_key is not None:
                    positions.setdefault(event.idempotency_key, []).append(event.position)
                    commands.setdefault(event.idempotency_key, set()).add(event.header.command_id)
    finally:
        await log.aclose()
    for one in written:
        at = positions.get(one.key, [])
        if not at:
            found.append(f"{one.key}, acknowledged at position {one.position}, is lost")
        elif at != list(range(at[0], one.position + 1)) or len(commands[one.key]) > 1:
            found.append(f"{one.key}, acknowledged at position {one.position}, is at {at}")
    return found
