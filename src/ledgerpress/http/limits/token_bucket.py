"""Rate limits: a token bucket for each client, which fills at a constant rate.

A full bucket equals a new one, so it may be removed. When the maximum number of buckets is in use, new clients share one:
an attacker with very many addresses gains nothing.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from ledgerpress.http.errors import Header, HttpError, retry_after


@dataclass(slots=True)
class _Bucket:
    """`left` requests at the time `at`, in seconds of a monotonic clock."""

    left: float
    at: float


class TokenBuckets:
    """An allowance for each client: `per_second` on average, some seconds' worth at once. 0 means no limit."""

    def __init__(
        self,
        *,
        per_second: float,
        burst_seconds: float,
        max_clients: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.is_on = per_second > 0
        """Whether there is a limit."""
        self._per_second = per_second
        self._burst = max(1.0, per_second * burst_seconds)
        self._max_clients = max_clients
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._shared = _Bucket(self._burst, clock())
        self._policy = b'"requests";q=%d;w=%d' % (self._burst, max(1, round(burst_seconds)))

    def take(self, client: str) -> float:
        """Count a request of a client, and return how many it has left.

        Raises `HttpError` with the status 429 (RFC 6585, section 4).
        """
        if not self._per_second:
            return self._burst
        now = self._clock()
        bucket = self._bucket(client, now)
        bucket.left = min(self._burst, bucket.left + (now - bucket.at) * self._per_second)
        bucket.at = now
        if bucket.left >= 1:
            bucket.left -= 1
            return bucket.left
        wait = (1 - bucket.left) / self._per_second
        raise HttpError(
            429,
            "RATE_LIMITED",
            f"Too many requests: {self._per_second:g} a second are allowed on average. Try again later.",
            retry_after(wait),
            *self.headers(0),
        )

    def _bucket(self, client: str, now: float) -> _Bucket:
        bucket = self._buckets.get(client)
        if bucket is not None:
            self._buckets.move_to_end(client)
            return bucket
        if len(self._buckets) >= self._max_clients:
            oldest = next(iter(self._buckets.values()))
            if oldest.left + (now - oldest.at) * self._per_second < self._burst:
                return self._shared
            self._buckets.popitem(last=False)
        bucket = self._buckets[client] = _Bucket(self._burst, now)
        return bucket

    def headers(self, left: float) -> tuple[Header, ...]:
        """Return the headers that tell a client how many requests it has left (IETF draft "RateLimit header fields")."""
        full_in = (self._burst - left) / self._per_second
        return (
            (b"ratelimit-policy", self._policy),
            (b"ratelimit", b'"requests";r=%d;t=%d' % (left, max(1, -(-full_in // 1)))),
        )


def client_address(client: tuple[str, int] | None) -> str:
    """Return what identifies an anonymous client: its IPv4 address, or its IPv6 network (/64)."""
    if client is None:
        return "unknown"
    host = client[0]
    if ":" not in host:
        return host
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return host
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(IPv6Address(int(address) >> 64 << 64)) + "/64"
