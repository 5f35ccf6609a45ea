"""Random bytes. They are injected, so that a run can be repeated byte for byte."""

import secrets
from typing import Protocol


class Randomness(Protocol):
    """Returns random bytes."""

    def bytes(self, count: int) -> bytes:
        """Return `count` bytes that cannot be predicted."""
        ...


class SystemRandomness:
    """The random source of the operating system."""

    def bytes(self, count: int) -> bytes:
        """Return `count` bytes that cannot be predicted."""
        return secrets.token_bytes(count)
