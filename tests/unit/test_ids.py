"""UUIDs follow RFC 9562."""

import hashlib
import uuid
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from ledgerpress.eventlog.clock_randomness_ids import uuid7, uuid8

instants: Final = st.integers(0, 2**53 - 1)
random_bytes: Final = st.binary(min_size=10, max_size=16)


def test_the_version_7_example_of_the_rfc() -> None:
    # RFC 9562, appendix A.6: 2022-02-22 19:22:22 UTC, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F.
    random = (0xCC3 << 64 | 0x18C4DC0C0C07398F).to_bytes(10, "big")
    assert uuid7(0x017F22E279B0 * 1_000 + 999, random) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(instants, random_bytes)
def test_version_7_contains_the_milliseconds_and_random_bits(now: int, random: bytes) -> None:
    text = uuid7(now, random)
    parsed = uuid.UUID(text)
    assert str(parsed) == text
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert parsed.int >> 80 == now // 1_000
    random_bits = int.from_bytes(random[:10], "big")
    assert (parsed.int >> 64) & 0xFFF == (random_bits >> 64) & 0xFFF
    assert parsed.int & (2**62 - 1) == random_bits & (2**62 - 1)


@given(instants, instants, random_bytes, random_bytes)
def test_version_7_sorts_by_time(first: int, second: int, random: bytes, other_random: bytes) -> None:
    if first // 1_000 < second // 1_000:
        assert uuid7(first, random) < uuid7(second, other_random)


@given(st.lists(st.text(st.characters(exclude_categories=["C"])) | st.integers(), min_size=1))
def test_version_8_contains_the_digest_of_its_parts(parts: list[str | int]) -> None:
    text = uuid8(*parts)
    parsed = uuid.UUID(text)
    assert str(parsed) == text
    assert (parsed.version, parsed.variant) == (8, uuid.RFC_4122)
    digest = int.from_bytes(hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()[:16], "big")
    free = ~(0xF << 76 | 0x3 << 62)
    assert parsed.int & free == digest & free


def test_version_8_is_stable_and_depends_on_the_bounds_of_its_parts() -> None:
    assert uuid8("publication", "actor", "key") == "4939e6b2-eec1-874b-9f41-92183b1deff3"
    assert uuid8("command", 0) == uuid8("command", "0")
    assert len({uuid8("ab", "c"), uuid8("a", "bc"), uuid8("abc"), uuid8("c", "ab")}) == 4
