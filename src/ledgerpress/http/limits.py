"""Limits on requests: the rate of each client, by a token bucket that fills at a constant rate, and concurrent requests.

A full bucket equals a new one, so it may be removed. When the maximum number of buckets is in use, new clients share one:
an attacker with very many addresses gains nothing.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from ledgerpress.commands.client_identity import Authenticator, Identity, Unauthenticated
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.http.request_rejection_error import Header, HttpError, invalid_token, retry_after
from ledgerpress.http.requests.url_prefix_and_route_path import route_path
from ledgerpress.http.responses import send_error


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


class RateLimiter:
    """Admits requests of each client at the rate of the settings."""

    def __init__(self, authenticator: Authenticator, settings: HttpSettings) -> None:
        self._authenticator = authenticator
        self._tokens, self._addresses = (
            TokenBuckets(
                per_second=rate,
                burst_seconds=settings.burst_seconds,
                max_clients=settings.max_rate_limited_clients,
            )
            for rate in (settings.requests_per_second, settings.anonymous_requests_per_second)
        )

    async def identify(self, scope: Scope, authorization: str | None) -> Identity:
        """Return the identity of an Authorization header. Raises `HttpError`.

        Invalid credentials count as requests of their address: nobody can try them faster than they can send requests.
        """
        try:
            return await self._authenticator.identify(authorization)
        except Unauthenticated as error:
            self._addresses.take(client_address(scope.get("client")))
            raise invalid_token(error) from None

    def take(self, scope: Scope, identity: Identity) -> tuple[Header, ...]:
        """Count a request, and return the headers that tell a token how many more it may send. Raises `HttpError`."""
        client = identity.token_id or identity.actor_id
        if client:
            return self._tokens.headers(self._tokens.take(client)) if self._tokens.is_on else ()
        if self._addresses.is_on:
            self._addresses.take(client_address(scope.get("client")))
        return ()


_EXEMPT: Final = ("/health/", "/metrics")
"""Operators need these most when the server is busy."""


@dataclass(slots=True)
class ConcurrencySlots:
    """How many requests may be in progress at a time, and how many are."""

    at_most: int
    taken: int = 0

    @contextmanager
    def without_slot(self) -> Iterator[None]:
        """Give up the slot of a request while it is an event stream: streams have limits of their own.

        It is taken back at the end, even if others have taken all slots.
        """
        self.taken -= 1
        try:
            yield
        finally:
            self.taken += 1


class ConcurrencyLimit:
    """ASGI middleware: beyond the limit, requests get 503 at once (RFC 9110, 15.6.4)."""

    def __init__(self, app: ASGIApp, *, slots: ConcurrencySlots) -> None:
        self._app = app
        self._slots = slots

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or route_path(scope).startswith(_EXEMPT):
            await self._app(scope, receive, send)
            return
        slots = self._slots
        if slots.taken >= slots.at_most:
            message = "The server has too many requests to answer. Try again."
            await send_error(send, HttpError(503, "TOO_BUSY", message, retry_after(1)))
            return
        slots.taken += 1
        try:
            await self._app(scope, receive, send)
        finally:
            slots.taken -= 1
