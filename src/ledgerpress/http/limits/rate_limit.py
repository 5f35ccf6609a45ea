"""Whose allowance of requests counts: the token's, and without one the client address's."""

from starlette.types import Scope

from ledgerpress.commands.identity import Authenticator, Identity, Unauthenticated
from ledgerpress.http.bearer_challenge import challenge
from ledgerpress.http.errors import Header
from ledgerpress.http.limits.token_bucket import TokenBuckets, client_address
from ledgerpress.http.settings import HttpSettings


class RateLimiter:
    """Lets clients in as often as the settings allow."""

    def __init__(self, door: Authenticator, settings: HttpSettings) -> None:
        self._door = door
        self._tokens, self._addresses = (
            TokenBuckets(
                per_second=rate,
                burst_seconds=settings.burst_seconds,
                max_clients=settings.max_rate_limited_clients,
            )
            for rate in (settings.requests_per_second, settings.anonymous_requests_per_second)
        )

    async def admit(self, scope: Scope, authorization: bytes | None) -> tuple[Identity, tuple[Header, ...]]:
        """Return who sends a request, and the headers that tell a token how many more it may send. Raises `Refusal`.

        Bad credentials count for the address that they come from: nobody tries them faster than it may ask.
        """
        try:
            identity = await self.identify(
                scope, None if authorization is None else authorization.decode("latin-1")
            )
        except Unauthenticated as error:
            raise challenge(error) from None
        return identity, self.take(scope, identity)

    async def still_admit(self, scope: Scope, authorization: bytes) -> Identity:
        """Return who has sent a request that was admitted, asked again. Raises `Refusal`."""
        try:
            return await self.identify(scope, authorization.decode("latin-1"))
        except Unauthenticated as error:
            raise challenge(error) from None

    async def identify(self, scope: Scope, authorization: str | None) -> Identity:
        """Return whose the value of an Authorization header is. Raises `Unauthenticated`, and `Refusal`."""
        try:
            return await self._door.identify(authorization)
        except Unauthenticated:
            self._addresses.take(client_address(scope.get("client")))
            raise

    def take(self, scope: Scope, identity: Identity) -> tuple[Header, ...]:
        """Count a request, and return the headers that tell a token how many more it may send. Raises `Refusal`."""
        client = identity.token_id or identity.actor_id
        if client:
            return self._tokens.headers(self._tokens.take(client)) if self._tokens.is_on else ()
        if self._addresses.is_on:
            self._addresses.take(client_address(scope.get("client")))
        return ()
