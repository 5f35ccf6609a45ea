"""The Merkle tree projection: its roots and proofs at every size match the stored events."""

from pathlib import Path

import pytest

from ledgerpress.eventlog import merkle
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.features.integrity import merkle_tree_projection as integrity
from ledgerpress.server.store import open_store
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot
from tests import merkle_proofs
from tests.integration.graphql_client import client


async def events_of(data: Path) -> list[StoredEvent]:
    """Write twenty posts, and return all events of the log."""
    async with client(data) as api:
        for number in range(20):
            await api.write(f"Tide tables {number}")
        return await api.store.log.read(0, 1_000)


async def test_roots_and_proofs_at_every_size(tmp_path: Path) -> None:
    events = await events_of(tmp_path / "store")
    frontier = merkle.Frontier()
    roots = [frontier.root()]
    for event in events:
        frontier.append(event.header.leaf_hash())
        roots.append(frontier.root())
    async with open_store(tmp_path / "store") as store:
        with store.snapshot() as snapshot:
            assert integrity.root(snapshot) == roots[-1]
            for size, root in enumerate(roots):
                assert integrity.root(snapshot, size) == root
                assert integrity.root(Snapshot(snapshot.db, size)) == root
                proof = integrity.consistency_proof(snapshot, size)
                merkle_proofs.verify_consistency(size, root, len(events), roots[-1], proof)
                if size:
                    leaf = events[size - 1].header.leaf_hash()
                    proof = integrity.inclusion_proof(snapshot, size)
                    merkle_proofs.verify_inclusion(leaf, size - 1, len(events), proof, roots[-1])
            with pytest.raises(ValueError, match="no tree"):
                integrity.root(snapshot, len(events) + 1)
            leaves = integrity.leaf_hashes(snapshot, 3, 5)
            assert leaves == {event.position: event.header.leaf_hash() for event in events[3:8]}
            (rows,) = snapshot.db.execute("SELECT count(*) FROM merkle_subtree").fetchone()
            assert rows == 2 * len(events) - len(events).bit_count()


async def test_rows_are_only_appended(tmp_path: Path) -> None:
    ids = [integrity.subtree_id(0, 0)]
    for leaf in range(1, 300):
        ids.append(integrity.subtree_id(0, leaf))
        ids += [integrity.subtree_id(*subtree) for subtree in merkle.completed_by(leaf)]
    assert ids == list(range(len(ids)))
