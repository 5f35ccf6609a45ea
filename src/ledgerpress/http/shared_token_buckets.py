"""Token buckets that all workers of a server share, so that a rate limit counts for all of them together.

The buckets are in a file that each worker maps into its memory. A client has a bucket in one set of eight; the set
depends on the hash of the client. A lock of the operating system protects each set: it ends with the process that
holds it, however that ends. If a worker cannot get the lock at once, because another one is stopped while it holds
it, it counts without the lock: a request may then not be counted, but no worker ever waits. What is written replaces the
old bytes in one copy: `Struct.pack_into` first fills them with zeros, which a worker without the lock could read as an
empty bucket.
"""

import mmap
import os
import time
from collections.abc import Callable
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, lockf
from hashlib import blake2b
from pathlib import Path
from struct import Struct
from typing import Final

from ledgerpress.bounded_cache import BoundedCache
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.http.limits import NewBuckets, TokenBuckets

_BUCKET: Final = Struct("16sdd")
"""A bucket: the hash of its client, the requests that are left, and the time of the last one."""
_KEY_BYTES: Final = 16
_LEVEL: Final = Struct("dd")
"""The part of a bucket after the hash."""
_NO_CLIENT: Final = bytes(_KEY_BYTES)
_SET_BUCKETS: Final = 8
_SET_BYTES: Final = _SET_BUCKETS * _BUCKET.size
_SETS_PER_CLIENT: Final = 4 / _SET_BUCKETS
"""With four buckets for each client that may have one, a set is full too early for one client of thousands."""
_LOCK_AT_ONCE: Final = LOCK_EX | LOCK_NB
_MAX_PLACES: Final = 1_000
"""Clients whose hash a worker remembers."""
_LOCK_ATTEMPTS: Final = 20
"""How often a worker tries to lock a set. A lock is held for two microseconds, unless the system suspends its holder."""
_LOCK_DELAY: Final = 1e-6
"""Seconds between two attempts. The system makes them about 50 microseconds, in which a suspended holder can run."""


def buckets_in(directory: Path) -> NewBuckets:
    """Return a function that creates buckets in the files of `directory`, which all workers share."""

    def new_buckets(purpose: str, per_second: float, settings: HttpSettings) -> TokenBuckets:
        limits = f"{per_second:g}-{settings.burst_seconds:g}-{settings.max_rate_limited_clients}"
        return SharedTokenBuckets(
            directory / f"rates-{purpose}-{limits}",  # a reload may change the limits
            per_second=per_second,
            burst_seconds=settings.burst_seconds,
            max_clients=settings.max_rate_limited_clients,
        )

    return new_buckets


class SharedTokenBuckets(TokenBuckets):
    """A token bucket for each client, in the file `path`."""

    def __init__(
        self,
        path: Path,
        *,
        per_second: float,
        burst_seconds: float,
        max_clients: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Map the file, and create it if this worker is the first. `clock` MUST be the same for all processes.

        Raises `OSError`.
        """
        super().__init__(
            per_second=per_second, burst_seconds=burst_seconds, max_clients=max_clients, clock=clock
        )
        self._sets = max(1, int(max_clients * _SETS_PER_CLIENT))
        self._shared_bucket = self._sets * _SET_BYTES  # for the clients of full sets
        size = self._shared_bucket + _BUCKET.size
        self._places = BoundedCache[str, tuple[bytes, int]](max_entries=_MAX_PLACES)
        self._file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        _fill(self._file, size)
        self._memory = mmap.mmap(self._file, size)

    def take(self, client: str) -> float:
        if not self._per_second:
            return self._burst
        known = self._places.get(client)
        key, number = known or self._place(client)
        is_locked = self._lock(number)
        try:
            now = self._clock()
            bucket = self._offset(key, number, now)
            level = slice(bucket + _KEY_BYTES, bucket + _BUCKET.size)
            left: float
            left, at = _LEVEL.unpack(self._memory[level])
            if now > at:
                left = min(self._burst, left + (now - at) * self._per_second)
            is_admitted = left >= 1
            if is_admitted:
                left -= 1
            self._memory[level] = _LEVEL.pack(left, now)
        finally:
            if is_locked:
                lockf(self._file, LOCK_UN, 1, number)
        if not is_admitted:
            raise self._rejection(left)
        return left

    def _place(self, client: str) -> tuple[bytes, int]:
        """Return the hash of a client, and the number of its set."""
        key = blake2b(client.encode(), digest_size=_KEY_BYTES).digest()
        place = key, int.from_bytes(key[:4], "big") % self._sets
        self._places.put(client, place)
        return place

    def _lock(self, number: int) -> bool:
        """Try to lock a set; return whether it is locked."""
        for _ in range(_LOCK_ATTEMPTS):
            try:
                lockf(self._file, _LOCK_AT_ONCE, 1, number)
            except OSError:
                time.sleep(_LOCK_DELAY)
                continue
            return True
        return False

    def _offset(self, key: bytes, number: int, now: float) -> int:
        """Return the offset of the bucket of a client. A full bucket of another client is replaced by a new one."""
        memory, start = self._memory, number * _SET_BYTES
        end = start + _SET_BYTES
        bucket = memory.find(key, start, end)
        if bucket >= 0 and bucket % _BUCKET.size == 0:
            return bucket
        for bucket in range(start, end, _BUCKET.size):
            known, left, at = _BUCKET.unpack_from(memory, bucket)
            if known == _NO_CLIENT or left + (now - at) * self._per_second >= self._burst:
                memory[bucket : bucket + _BUCKET.size] = _BUCKET.pack(key, self._burst, now)
                return bucket
        bucket = self._shared_bucket
        if memory[bucket : bucket + _KEY_BYTES] == _NO_CLIENT:
            memory[bucket : bucket + _BUCKET.size] = _BUCKET.pack(key, self._burst, now)
        return bucket


def _fill(file: int, size: int) -> None:
    """Write zeros to a file that is shorter than `size`: writing to the mapping of a file with holes may need space.

    Several workers may do so at the same time, before any of them counts.
    """
    lockf(file, LOCK_EX)
    try:
        if (length := os.fstat(file).st_size) < size:
            os.pwrite(file, bytes(size - length), length)
        if os.fstat(file).st_size < size:
            raise OSError("the file of the rate limits could not be written completely")
    finally:
        lockf(file, LOCK_UN)
