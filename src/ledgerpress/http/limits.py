"""Limits on requests: the rate of each client, and the number of concurrent requests.

The rate limit uses token buckets, which fill at a constant rate. A full bucket equals a new one, so it may be removed.
When the maximum number of buckets is in use, new clients share one: an attacker with very many addresses gains nothing.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from ledgerpress.commands.client_identity import Authenticator, Identity, Unauthenticated
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.http.request_rejection_error import (
    Header,
    HttpError,
    invalid_token,
    retry_after,
    views_unavailable,
)
from ledgerpress.http.requests.url_prefix_and_route_path import route_path
from ledgerpress.http.responses import send_error
from ledgerpress.network_names import address_of
from ledgerpress.views.files.views_health import ViewsUnavailable


@dataclass(slots=True)
class _Bucket:
    """A bucket with `left` requests at the time `at`, in seconds of a monotonic clock."""

    left: float
    at: float


class TokenBuckets:
    """A token bucket for each client: `per_second` requests on average, with bursts of `burst_seconds`. 0: no limit."""

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
        """Count a request of a client and return how many requests it has left.

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
        raise self._rejection(bucket.left)

    def _rejection(self, left: float) -> HttpError:
        """Return the error for a request when less than one request is left."""
        wait = (1 - left) / self._per_second
        return HttpError(
            429,
            "RATE_LIMITED",
            f"Too many requests: at most {self._per_second:g} per second are allowed on average. Try again later.",
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
        """Return the headers with the number of requests left (IETF draft "RateLimit header fields for HTTP")."""
        full_in = (self._burst - left) / self._per_second
        return (
            (b"ratelimit-policy", self._policy),
            (b"ratelimit", b'"requests";r=%d;t=%d' % (left, max(1, -(-full_in // 1)))),
        )


NewBuckets = Callable[[str, float, HttpSettings], TokenBuckets]
"""Creates the buckets of a purpose with a rate per second and the other limits of the settings."""


def own_buckets(_purpose: str, per_second: float, settings: HttpSettings) -> TokenBuckets:
    """Return buckets in the memory of this process."""
    return TokenBuckets(
        per_second=per_second,
        burst_seconds=settings.burst_seconds,
        max_clients=settings.max_rate_limited_clients,
    )


def client_address(client: tuple[str, int] | None) -> str:
    """Return the key of an anonymous client: its IPv4 address, or its IPv6 network (/64)."""
    if client is None:
        return "unknown"
    host = client[0]
    if ":" not in host:
        return host
    address = address_of(host.partition("%")[0])
    if not isinstance(address, IPv6Address):
        return str(address or host)
    return str(IPv6Address(int(address) >> 64 << 64)) + "/64"


class RateLimiter:
    """Limits the rate of each client, as the settings require.

    `new_buckets` creates the buckets for the clients with a token, and for those without one.
    """

    def __init__(
        self,
        authenticator: Authenticator,
        settings: HttpSettings,
        new_buckets: NewBuckets = own_buckets,
    ) -> None:
        self._authenticator = authenticator
        self._tokens = new_buckets("tokens", settings.requests_per_second, settings)
        self._addresses = new_buckets("addresses", settings.anonymous_requests_per_second, settings)

    async def identify(self, scope: Scope, authorization: str | None) -> Identity:
        """Return the identity for an Authorization header. Raises `HttpError`.

        A request with invalid credentials counts against its address, so that credentials cannot be guessed faster than
        anonymous requests can be sent.
        """
        try:
            return await self._authenticator.identify(authorization)
        except Unauthenticated as error:
            self._addresses.take(client_address(scope.get("client")))
            raise invalid_token(error) from None
        except ViewsUnavailable as error:  # tokens are read from the views
            raise views_unavailable() from error

    def take(self, scope: Scope, identity: Identity) -> tuple[Header, ...]:
        """Count a request. Return the rate limit headers, if the client has a token. Raises `HttpError`."""
        client = identity.token_id or identity.actor_id
        if client:
            return self._tokens.headers(self._tokens.take(client)) if self._tokens.is_on else ()
        if self._addresses.is_on:
            self._addresses.take(client_address(scope.get("client")))
        return ()


_EXEMPT: Final = ("/health/", "/metrics")
"""Paths without a limit: operators need them most when the server is busy."""


@dataclass(slots=True)
class ConcurrencySlots:
    """The number of requests that may be in progress at a time, and the number that are."""

    at_most: int
    in_use: int = 0

    @contextmanager
    def without_slot(self) -> Iterator[None]:
        """Release the slot of a request while it is an event stream: streams have their own limits.

        The request takes a slot again at the end, even if none is free.
        """
        self.in_use -= 1
        try:
            yield
        finally:
            self.in_use += 1


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
        if slots.in_use >= slots.at_most:
            message = "The server has too many requests in progress. Try again."
            await send_error(send, HttpError(503, "TOO_BUSY", message, retry_after(1)))
            return
        slots.in_use += 1
        try:
            await self._app(scope, receive, send)
        finally:
            slots.in_use -= 1
