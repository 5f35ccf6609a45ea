"""The Merkle tree over the log's leaves (RFC 9162, section 2.1): roots, proofs and tree heads.

A tree is defined by its complete subtrees: `Subtree(level, number)` has `2**level` leaves, the first of which is leaf
`number * 2**level`. Leaves are counted from 0 as in the RFC: the event at position 1 is leaf 0. A complete subtree
never changes. So the root and the proofs of the tree at any earlier size follow from the stored hashes, in O(log n).
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

import msgspec

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""The root of a tree without leaves."""
TREE_HEAD_VERSION: Final = 1
_ROOT: Final = re.compile(r"[0-9a-f]{64}")


class Subtree(NamedTuple):
    """A complete subtree of `2**level` leaves, which starts at leaf `number * 2**level`."""

    level: int
    number: int


Subtrees: TypeAlias = Callable[[int, int], bytes]
"""Takes the level and the number of a complete subtree; returns its hash."""


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node, SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def completed_by(leaf: int) -> Iterator[Subtree]:
    """Yield the inner subtrees that the leaf with index `leaf` completes, from the bottom up."""
    size, level = leaf + 1, 0
    while not size >> level & 1:
        level += 1
        yield Subtree(level, leaf >> level)


def root(size: int, subtrees: Subtrees) -> bytes:
    """Return the root of the tree of the first `size` leaves."""
    return _range_hash(0, size, subtrees) if size else EMPTY_ROOT


def inclusion_proof(leaf: int, size: int, subtrees: Subtrees) -> list[bytes]:
    """Return the proof that the leaf with index `leaf` is in the tree of size `size` (section 2.1.3.1).

    Raises `ValueError` if the tree has no such leaf.
    """
    if not 0 <= leaf < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {leaf}")
    return [sibling for _, _, sibling in _descend(leaf, size, subtrees)][::-1]


def consistency_proof(old: int, size: int, subtrees: Subtrees) -> list[bytes]:
    """Return the proof that the tree of size `size` extends the tree of its first `old` leaves (section 2.1.4.1).

    The proof is empty if `old` is 0 or `size`. Raises `ValueError` if `old` is not between 0 and `size`.
    """
    if not 0 <= old <= size:
        raise ValueError(f"a tree of {size} leaves cannot extend a tree of {old}")
    if old in (0, size):
        return []
    path: list[bytes] = []
    for start, end, sibling in _descend(old - 1, size, subtrees):
        path.append(sibling)
        if end == old:
            if start:
                path.append(_range_hash(start, end, subtrees))
            break
    return path[::-1]


class Frontier:
    """A tree that can only grow, as its peaks: the hashes of its O(log n) largest complete subtrees, largest first."""

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        """Start with a tree of `size` leaves. Raises `ValueError` if it does not have this number of `peaks`."""
        if len(peaks) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} peaks, not {len(peaks)}")
        self.size = size
        self._peaks = list(peaks)

    @property
    def peaks(self) -> Sequence[bytes]:
        return self._peaks

    def append(self, leaf_hash: bytes) -> None:
        for _ in completed_by(self.size):
            leaf_hash = node_hash(self._peaks.pop(), leaf_hash)
        self._peaks.append(leaf_hash)
        self.size += 1

    def root(self) -> bytes:
        return _fold(self._peaks) if self._peaks else EMPTY_ROOT


class TreeHead(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The root (in hex) of the Merkle tree over the first `size` events of a publication (RFC 9162, section 2.1).

    `recorded_time` is the greatest recorded-at of these events, in microseconds since 1970, UTC. It is `None`
    for an empty log.
    """

    v: int
    publication: str
    size: int
    root: str
    recorded_time: int | None

    @classmethod
    def from_json(cls, text: bytes) -> "TreeHead":
        """Return the tree head that `head --json` or `log copy --json` printed. Raises `ValueError` for other texts."""
        data = msgspec.json.decode(text, type=_CopiedHead)
        head = cls(data.v, data.publication, data.size, data.root, data.recorded_time)
        if head.v != TREE_HEAD_VERSION:
            raise ValueError(f"the tree head has version {head.v}; only version {TREE_HEAD_VERSION} is known")
        if head.size < 0 or not _ROOT.fullmatch(head.root):
            raise ValueError("a tree head needs a size of 0 or more, and a root of 64 hexadecimal digits")
        return head


class _CopiedHead(TreeHead, frozen=True, rename="camel", forbid_unknown_fields=True):
    missing: int = 0
    """The number of events by which the source was ahead of the copy."""


def _descend(leaf: int, size: int, subtrees: Subtrees) -> Iterator[tuple[int, int, bytes]]:
    """Yield the ranges on the path from the root down to a leaf, as start, end, and hash of the sibling range."""
    start, end = 0, size
    while end - start > 1:
        middle = start + (
            1 << (end - start - 1).bit_length() - 1
        )  # the largest power of two below the length
        if leaf < middle:
            sibling, end = _range_hash(middle, end, subtrees), middle
        else:
            sibling, start = _range_hash(start, middle, subtrees), middle
        yield start, end, sibling


def _range_hash(start: int, end: int, subtrees: Subtrees) -> bytes:
    """Return MTH(D[start:end]), where `start` is a multiple of every power of two up to the range's length."""
    peaks: list[bytes] = []
    while start < end:
        level = (end - start).bit_length() - 1
        peaks.append(subtrees(level, start >> level))
        start += 1 << level
    return _fold(peaks)


def _fold(peaks: Sequence[bytes]) -> bytes:
    result = peaks[-1]
    for peak in reversed(peaks[:-1]):
        result = node_hash(peak, result)
    return result
