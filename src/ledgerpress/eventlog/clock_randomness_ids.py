"""The clock, the source of random bytes, and UUIDs built from both (RFC 9562).

Clock and randomness are injected, so that a run can be repeated byte for byte.
"""

import hashlib
import os
import time
from typing import Protocol


class Clock(Protocol):
    def now(self) -> int:
        """Return the time in microseconds since 1970, UTC."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> int:
        return time.time_ns() // 1000  # noqa: TID251 - the clock of the events


class Randomness(Protocol):
    def bytes(self, count: int) -> bytes:
        """Return `count` unpredictable bytes."""
        ...


class SystemRandomness:
    """The randomness of the operating system."""

    def bytes(self, count: int) -> bytes:
        return os.urandom(count)


def uuid7(now: int, random: bytes) -> str:
    """Return a version 7 UUID (RFC 9562, section 5.7).

    `now` is in microseconds since 1970, UTC; `random` contains at least 10 bytes.
    """
    value = (now // 1000) << 80 | int.from_bytes(random[:10], "big")
    return _with_version(value, 7)


def uuid8(*parts: str | int) -> str:
    """Return the version 8 UUID (RFC 9562, section 5.8) derived from the SHA-256 of `parts`, joined with U+001F."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return _with_version(int.from_bytes(digest[:16], "big"), 8)


def _with_version(value: int, version: int) -> str:
    value = value & ~(0xF << 76) | version << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
