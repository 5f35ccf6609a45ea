"""The proof that the publication of a revision is in the log: the leaf hash and the path (RFC 9162, section 2.1.3).

The header of the event is not part of it, because it contains the ids of actors. The leaf hash reveals nothing of the
header, which contains a salted commitment to the payload.
"""

from typing import Final

import msgspec

from ledgerpress.features.integrity import merkle_tree_projection as tree
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

VERSION: Final = 1


class InclusionProof(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The proof that the event at `position` is among the first `size` events of a publication. Hashes are in hex."""

    v: int = VERSION
    publication: str
    article: str
    """The path of the article's page."""
    revision: int
    position: int
    leaf_hash: str
    size: int
    root: str
    path: list[str]


def proof_of(
    snapshot: Snapshot, publication: str, article: str, revision: int, position: int, size: int | None = None
) -> InclusionProof:
    """Return the proof for the event at `position` in the log of the first `size` events, by default of all.

    Raises `ValueError` if these do not include it, and `TreeIncomplete` if the tree lacks a leaf.
    """
    size = snapshot.position if size is None else size
    path = tree.inclusion_proof(snapshot, position, size)
    leaf_hash = tree.leaf_hashes(snapshot, position - 1, 1)[position]
    return InclusionProof(
        publication=publication,
        article=article,
        revision=revision,
        position=position,
        leaf_hash=leaf_hash.hex(),
        size=size,
        root=tree.root(snapshot, size).hex(),
        path=[node.hex() for node in path],
    )
