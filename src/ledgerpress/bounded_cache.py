"""A least-recently-used cache, bounded by the number and the size of its entries."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedCache(Generic[K, V]):
    """A cache of the most recently used entries: at most `max_entries`, and at most `max_bytes` in total.

    `size_of` returns the approximate size of an entry in bytes. An entry larger than `max_entry_bytes` is not cached;
    the default is a quarter of `max_bytes`. The newest entry is never evicted, even if it alone exceeds `max_bytes`. A
    cache that may contain payloads MUST be cleared when a payload is withdrawn.
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
        """The total size of all entries, in bytes."""

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def get(self, key: K) -> V | None:
        """Return the value of `key` and mark it as the most recently used; return `None` if there is none."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: K, value: V) -> None:
        """Add `value`, and evict the least recently used entries until the cache is within its bounds."""
        self.pop(key)
        size = self._size_of(key, value) if self._size_of else 0
        if self._max_entry_bytes is not None and size > self._max_entry_bytes:
            return
        self._entries[key] = value, size
        self.bytes += size
        max_entries, max_bytes = self._max_entries, self._max_bytes
        while len(self._entries) > 1 and (
            (max_entries is not None and len(self._entries) > max_entries)
            or (max_bytes is not None and self.bytes > max_bytes)
        ):
            self.pop(next(iter(self._entries)))

    def pop(self, key: K) -> V | None:
        """Remove `key` and return its value, or `None` if there is none."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return None
        self.bytes -= entry[1]
        return entry[0]

    def remove(self, is_removed: Callable[[K], bool]) -> None:
        """Remove the entries whose keys `is_removed` accepts."""
        for key in [key for key in self._entries if is_removed(key)]:
            self.pop(key)

    def values(self) -> list[V]:
        """Return the values, least recently used first."""
        return [value for value, _ in self._entries.values()]

    def clear(self) -> None:
        """Remove all entries."""
        self._entries.clear()
        self.bytes = 0
