"""A cache that keeps the most recently used entries within bounds."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedCache(Generic[K, V]):
    """Keep the most recently used entries, at most `max_entries` of them and at most `max_bytes` in all.

    `size_of` returns the size of an entry in bytes, roughly. An entry larger than `max_entry_bytes` is not kept; the
    default is a quarter of `max_bytes`. The newest entry is never evicted, even if it exceeds `max_bytes` alone. A cache
    that may hold payloads MUST be cleared when one is withdrawn.
    """

    def __init__(
        self,
        *,
        max_entries: int | None = None,
        max_bytes: int | None = None,
        max_entry_bytes: int | None = None,
        size_of: Callable[[K, V], int] | None = None,
    ) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        if max_entry_bytes is None and max_bytes is not None:
            max_entry_bytes = max_bytes // 4
        self._max_entry_bytes = max_entry_bytes
        self._size_of = size_of
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self.bytes = 0
        """The size of all entries."""

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def get(self, key: K) -> V | None:
        """Return the value of `key`, or `None` if there is none; it is now the most recently used."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: K, value: V) -> None:
        """Keep `value`, and evict the entries that were not used for longest."""
        self.pop(key)
        size = self._size_of(key, value) if self._size_of else 0
        if self._max_entry_bytes is not None and size > self._max_entry_bytes:
            return
        self._entries[key] = value, size
        self.bytes += size
        most_entries, most_bytes = self._max_entries, self._max_bytes
        while len(self._entries) > 1 and (
            (most_entries is not None and len(self._entries) > most_entries)
            or (most_bytes is not None and self.bytes > most_bytes)
        ):
            self.pop(next(iter(self._entries)))

    def pop(self, key: K) -> V | None:
        """Remove `key` and return its value, or `None` if there is none."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return None
        self.bytes -= entry[1]
        return entry[0]

    def values(self) -> list[V]:
        """Return the values, the least recently used first."""
        return [value for value, _ in self._entries.values()]

    def clear(self) -> None:
        """Remove everything."""
        self._entries.clear()
        self.bytes = 0
