"""Identify the client of a request, and count the request for its token, or for its address without a token."""

from starlette.types import Scope

from ledgerpress.commands.roles_and_permissions import Authenticator, Identity, Unauthenticated
from ledgerpress.http.errors import Header, invalid_token
from ledgerpress.http.limits.token_bucket import TokenBuckets, client_address
from ledgerpress.http.settings import HttpSettings


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

    async def admit(self, scope: Scope, authorization: bytes | None) -> tuple[Identity, tuple[Header, ...]]:
        """Return who sends a request, and the headers that tell a token how many more it may send.

        Invalid credentials count for their address, so that nobody tries them faster than requests. Raises `HttpError`.
        """
        try:
            identity = await self.identify(
                scope, None if authorization is None else authorization.decode("latin-1")
            )
        except Unauthenticated as error:
            raise invalid_token(error) from None
        return identity, self.take(scope, identity)

    async def identify_again(self, scope: Scope, authorization: bytes) -> Identity:
        """Return who sends a request that was admitted before. Raises `HttpError`."""
        try:
            return await self.identify(scope, authorization.decode("latin-1"))
        except Unauthenticated as error:
            raise invalid_token(error) from None

    async def identify(self, scope: Scope, authorization: str | None) -> Identity:
        """Return the identity of an Authorization header. Raises `Unauthenticated` and `HttpError`."""
        try:
            return await self._authenticator.identify(authorization)
        except Unauthenticated:
            self._addresses.take(client_address(scope.get("client")))
            raise

    def take(self, scope: Scope, identity: Identity) -> tuple[Header, ...]:
        """Count a request, and return the headers that tell a token how many more it may send. Raises `HttpError`."""
        client = identity.token_id or identity.actor_id
        if client:
            return self._tokens.headers(self._tokens.take(client)) if self._tokens.is_on else ()
        if self._addresses.is_on:
            self._addresses.take(client_address(scope.get("client")))
        return ()
