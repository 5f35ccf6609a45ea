"""Check the Merkle tree against RFC 9162, section 2.1, and the test vectors of the authors of RFC 6962."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgerpress.eventlog import merkle
from ledgerpress.eventlog.merkle import EMPTY_ROOT, Frontier, Subtree, Subtrees
from tests import merkle_proofs
from tests.merkle_proofs import ProofInvalid

SIZES: Final = range(131)

# The eight leaves of the reference implementation's tests (github.com/google/certificate-transparency,
# cpp/merkletree/merkle_tree_test.cc), and the roots of the first n of them.
REFERENCE_LEAVES: Final = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
REFERENCE_ROOTS: Final = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
REFERENCE_INCLUSION: Final = {
    (0, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (5, 8): (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 3): ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",),
}
REFERENCE_CONSISTENCY: Final = {
    (1, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (6, 8): (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 5): (
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def leaves(count: int) -> list[bytes]:
    return [f"leaf {number}".encode() for number in range(count)]


# --- the definitions, word for word -----------------------------------------------------------------


def mth(data: Sequence[bytes]) -> bytes:
    """Section 2.1.1."""
    if not data:
        return sha256(b"")
    if len(data) == 1:
        return sha256(b"\x00" + data[0])
    k = power_below(len(data))
    return sha256(b"\x01" + mth(data[:k]) + mth(data[k:]))


def path(m: int, data: Sequence[bytes]) -> list[bytes]:
    """Section 2.1.3.1."""
    if len(data) == 1:
        return []
    k = power_below(len(data))
    if m < k:
        return [*path(m, data[:k]), mth(data[k:])]
    return [*path(m - k, data[k:]), mth(data[:k])]


def subproof(m: int, data: Sequence[bytes], *, whole: bool) -> list[bytes]:
    """Section 2.1.4.1; PROOF(m, D_n) is SUBPROOF(m, D_n, true)."""
    if m == len(data):
        return [] if whole else [mth(data)]
    k = power_below(len(data))
    if m <= k:
        return [*subproof(m, data[:k], whole=whole), mth(data[k:])]
    return [*subproof(m - k, data[k:], whole=False), mth(data[:k])]


def power_below(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def subtrees_of(data: Sequence[bytes]) -> Subtrees:
    """Return the hashes of the complete subtrees, computed leaf by leaf."""
    hashes: dict[tuple[int, int], bytes] = {}
    for number, leaf in enumerate(data):
        hashes[0, number] = sha256(b"\x00" + leaf)
        for level, index in merkle.completed_by(number):
            hashes[level, index] = merkle.node_hash(
                hashes[level - 1, 2 * index], hashes[level - 1, 2 * index + 1]
            )
    return lambda level, index: hashes[level, index]


ALL: Final = subtrees_of(leaves(SIZES[-1]))


# --- tests --------------------------------------------------------------------------------------------


def test_the_reference_vectors() -> None:
    subtrees = subtrees_of(REFERENCE_LEAVES)
    frontier = Frontier()
    for size, expected in enumerate(REFERENCE_ROOTS):
        assert merkle.root(size, subtrees).hex() == frontier.root().hex() == expected
        if size < len(REFERENCE_LEAVES):
            frontier.append(sha256(b"\x00" + REFERENCE_LEAVES[size]))
    for (leaf, size), proof in REFERENCE_INCLUSION.items():
        assert tuple(node.hex() for node in merkle.inclusion_proof(leaf, size, subtrees)) == proof
    for (old, size), proof in REFERENCE_CONSISTENCY.items():
        assert tuple(node.hex() for node in merkle.consistency_proof(old, size, subtrees)) == proof


def test_roots_of_all_sizes() -> None:
    frontier = Frontier()
    for size in SIZES:
        assert merkle.root(size, ALL) == frontier.root() == mth(leaves(size))
        assert frontier.size == size
        frontier.append(sha256(b"\x00" + f"leaf {size}".encode()))


@pytest.mark.parametrize("size", SIZES)
def test_proofs_of_all_sizes(size: int) -> None:
    data = leaves(size)
    root = mth(data)
    for leaf in range(size):
        proof = merkle.inclusion_proof(leaf, size, ALL)
        assert proof == path(leaf, data)
        merkle_proofs.verify_inclusion(ALL(0, leaf), leaf, size, proof, root)
    for old in range(1, size + 1):
        proof = merkle.consistency_proof(old, size, ALL)
        assert proof == subproof(old, data, whole=True)
        merkle_proofs.verify_consistency(old, merkle.root(old, ALL), size, root, proof)
    merkle_proofs.verify_consistency(0, EMPTY_ROOT, size, root, merkle.consistency_proof(0, size, ALL))


@pytest.mark.parametrize(("leaf", "size"), [(0, 0), (5, 5), (-1, 3), (131, 130)])
def test_there_is_no_proof_for_a_missing_leaf(leaf: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        merkle.inclusion_proof(leaf, size, ALL)
    with pytest.raises(ProofInvalid):
        merkle_proofs.verify_inclusion(EMPTY_ROOT, leaf, size, [], EMPTY_ROOT)
    if leaf > size:
        with pytest.raises(ValueError, match="cannot extend"):
            merkle.consistency_proof(leaf, size, ALL)
        with pytest.raises(ProofInvalid):
            merkle_proofs.verify_consistency(leaf, EMPTY_ROOT, size, EMPTY_ROOT, [])


def forgeries(proof: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Yield proofs that differ from a valid one in one place."""
    for place, node in enumerate(proof):
        yield [*proof[:place], bytes([node[0] ^ 1, *node[1:]]), *proof[place + 1 :]]
        yield [*proof[:place], *proof[place + 1 :]]
        yield [*proof[:place], node, *proof[place:]]
    yield [*proof, EMPTY_ROOT]
    yield [EMPTY_ROOT, *proof]


@given(st.data())
def test_a_forged_proof_is_rejected(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, SIZES[-1]))
    root = merkle.root(size, ALL)
    leaf = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(leaf, size, ALL)
    for forged in forgeries(proof):
        with pytest.raises(ProofInvalid):
            merkle_proofs.verify_inclusion(ALL(0, leaf), leaf, size, forged, root)
    for other in set(range(size)) - {leaf}:
        with pytest.raises(ProofInvalid):
            merkle_proofs.verify_inclusion(ALL(0, leaf), other, size, proof, root)
    old = data.draw(st.integers(1, size))
    proof, old_root = merkle.consistency_proof(old, size, ALL), merkle.root(old, ALL)
    for forged in forgeries(proof):
        with pytest.raises(ProofInvalid):
            merkle_proofs.verify_consistency(old, old_root, size, root, forged)
    for wrong in (merkle.root(old - 1, ALL), EMPTY_ROOT):
        with pytest.raises(ProofInvalid):
            merkle_proofs.verify_consistency(old, wrong, size, root, proof)


def test_each_leaf_completes_the_subtrees_that_end_with_it() -> None:
    assert [list(merkle.completed_by(leaf)) for leaf in range(8)] == [
        [],
        [Subtree(1, 0)],
        [],
        [Subtree(1, 1), Subtree(2, 0)],
        [],
        [Subtree(1, 2)],
        [],
        [Subtree(1, 3), Subtree(2, 1), Subtree(3, 0)],
    ]


@given(st.integers(0, 100_000))
def test_a_proof_reads_a_logarithmic_number_of_subtrees(size: int) -> None:
    reads: list[tuple[int, int]] = []

    def counted(level: int, index: int) -> bytes:
        reads.append((level, index))
        assert (index + 1) << level <= size, "only complete subtrees are read"
        return EMPTY_ROOT

    bound = 2 * max(size, 1).bit_length()
    merkle.root(size, counted)
    assert len(reads) <= bound
    for leaf in {0, size // 3, size - 1} if size else ():
        reads.clear()
        merkle.inclusion_proof(leaf, size, counted)
        assert len(reads) <= bound
        reads.clear()
        merkle.consistency_proof(leaf, size, counted)
        assert len(reads) <= bound
