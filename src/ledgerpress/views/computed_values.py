"""Values that are costly to compute from payloads. They are cached in bounded memory until a payload is withdrawn."""

from collections.abc import Hashable
from typing import Any, Final

from ledgerpress.bounded_cache import BoundedCache

MAX_BYTES: Final = 64_000_000
"""The approximate memory of the values of one store, in bytes."""


class ComputedValues:
    """The computed values of one store.

    A computation begins with `generation`. After a withdrawal, values of an earlier generation are neither returned nor
    cached: they may contain the withdrawn payload.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._values = BoundedCache[Hashable, tuple[Any, int]](
            max_bytes=max_bytes, size_of=lambda _, value: value[1]
        )
        self._generation = 0
        self._withdrawal = 0

    def __len__(self) -> int:
        return len(self._values)

    def clear(self) -> None:
        """Begin a new generation. MUST be called after a withdrawal, and after a switch to other views."""
        self._generation += 1
        self._values.clear()

    def generation(self, withdrawal: int) -> int | None:
        """Return the current generation, for views whose last withdrawal has the position `withdrawal`.

        Return `None` if these views are older than a withdrawal that is known already: their values are not cached.
        """
        if withdrawal > self._withdrawal:
            self._withdrawal = withdrawal
            self.clear()
        return self._generation if withdrawal == self._withdrawal else None

    def get(self, key: Hashable, generation: int | None) -> Any:
        """Return the value of `key`, `None` if there is none of this generation."""
        value = self._values.get(key) if generation == self._generation else None
        return value and value[0]

    def put(self, key: Hashable, value: object, size: int, generation: int | None) -> None:
        """Cache a value with an approximate size in bytes, unless its generation is over or it is too large."""
        if generation == self._generation:
            self._values.put(key, (value, size))
