"""Verify proofs of a Merkle tree as a client does (RFC 9162, section 2.1)."""

from collections.abc import Iterator, Sequence

from ledgerpress.eventlog.merkle import EMPTY_ROOT, node_hash


class ProofInvalid(Exception):
    """A proof is wrong; the message contains the reason."""


def verify_inclusion(leaf_hash: bytes, leaf: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Raise `ProofInvalid` unless `proof` shows that the tree with this root contains the leaf (section 2.1.3.2)."""
    if not 0 <= leaf < size:
        raise ProofInvalid(f"a tree of {size} leaves has no leaf {leaf}")
    computed = leaf_hash
    for sibling, on_the_left in _climb(leaf, size - 1, proof):
        computed = node_hash(sibling, computed) if on_the_left else node_hash(computed, sibling)
    if computed != root:
        raise ProofInvalid("the proof leads to another root")


def verify_consistency(old: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """Raise `ProofInvalid` unless `proof` shows that one tree extends the other (section 2.1.4.2).

    Every tree extends the empty one, by an empty proof.
    """
    if not 0 <= old <= size:
        raise ProofInvalid(f"a tree of {size} leaves does not extend one of {old}")
    if old in (0, size):
        if proof:
            raise ProofInvalid("the proof is too long")
        if old_root != (root if old == size else EMPTY_ROOT):
            raise ProofInvalid("the roots differ")
        return
    rest = [old_root, *proof] if not old & (old - 1) else list(proof)
    if not rest:
        raise ProofInvalid("the proof is too short")
    number, last = old - 1, size - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    computed_old = computed = rest[0]
    for sibling, on_the_left in _climb(number, last, rest[1:]):
        if on_the_left:
            computed_old, computed = node_hash(sibling, computed_old), node_hash(sibling, computed)
        else:
            computed = node_hash(computed, sibling)
    if (computed_old, computed) != (old_root, root):
        raise ProofInvalid("the proof leads to another root")


def _climb(number: int, last: int, proof: Sequence[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield each hash of a proof, and whether it is on the left, from a subtree up to the root.

    `number` is the index of the subtree in its level, `last` the last index of the level (fn and sn in sections 2.1.3.2
    and 2.1.4.2). Raises `ProofInvalid` unless the proof ends at the root.
    """
    for sibling in proof:
        if last == 0:
            raise ProofInvalid("the proof is too long")
        on_the_left = bool(number & 1) or number == last
        yield sibling, on_the_left
        while on_the_left and not number & 1 and number:
            number, last = number >> 1, last >> 1
        number, last = number >> 1, last >> 1
    if last:
        raise ProofInvalid("the proof is too short")
