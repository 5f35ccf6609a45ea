"""The bounded cache: which entries it evicts, and which it never stores."""

from ledgerpress.bounded_cache import BoundedCache


def sized(max_bytes: int, max_entry_bytes: int | None = None) -> BoundedCache[str, str]:
    return BoundedCache(
        max_bytes=max_bytes, max_entry_bytes=max_entry_bytes, size_of=lambda _, value: len(value)
    )


def test_the_least_recently_used_entry_is_evicted() -> None:
    cache = BoundedCache[str, int](max_entries=2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert cache.get("b") is None
    assert (cache.values(), len(cache), "a" in cache) == ([1, 3], 2, True)


def test_the_size_of_all_entries_is_bounded() -> None:
    cache = sized(10, max_entry_bytes=10)
    for name in "abcd":
        cache.put(name, name * 4)
    assert cache.values() == ["cccc", "dddd"]
    assert cache.bytes == 8
    cache.put("c", "c")
    assert cache.bytes == 5
    assert cache.pop("d") == "dddd"
    assert cache.pop("d") is None
    assert cache.bytes == 1


def test_an_entry_that_is_too_large_is_not_stored_and_removes_its_old_value() -> None:
    cache = sized(100)
    cache.put("a", "x" * 25)
    cache.put("b", "x" * 26)
    assert cache.values() == ["x" * 25]
    cache.put("a", "x" * 26)
    assert (len(cache), cache.bytes) == (0, 0)


def test_the_newest_entry_is_never_evicted() -> None:
    cache = sized(10, max_entry_bytes=50)
    cache.put("a", "x" * 5)
    cache.put("b", "x" * 40)
    assert cache.values() == ["x" * 40]
    cache.put("c", "x")
    assert cache.values() == ["x"]


def test_clear_removes_every_entry() -> None:
    cache = sized(100)
    cache.put("a", "text")
    cache.clear()
    assert (len(cache), cache.bytes, cache.get("a")) == (0, 0, None)
