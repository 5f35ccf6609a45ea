"""Authenticate requests by an API token or a JWT; without credentials, a request is anonymous."""

import hmac
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from typing import Final

from ledgerpress.bounded_cache import BoundedCache
from ledgerpress.commands.client_identity import (
    ANONYMOUS,
    LOCAL_OPERATOR,
    Identity,
    Unauthenticated,
    VerifiedClaims,
    Verifier,
    identity,
)
from ledgerpress.commands.roles_and_permissions import Role, RolePermissions
from ledgerpress.eventlog.clock_randomness_ids import Clock, uuid8
from ledgerpress.features.actors.model import OPERATOR
from ledgerpress.features.tokens import projector_and_queries as tokens
from ledgerpress.features.tokens.commands import PREFIX, secret_hash
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

_CREDENTIALS: Final = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~-]+)(?: +([A-Za-z0-9._~+/-]+=*))? *")
_LONGEST: Final = 16_384
"""The maximum length of a header, in characters; a JWT has a few thousand at most."""
_NO_HASH: Final = "0" * 64
_MAX_IDENTITIES: Final = 1_000
"""How many identities are kept, each by the content of its token."""
_LEAST_FIRST: Final = (Role.READER, Role.AUTHOR, Role.EDITOR, Role.AUDITOR, Role.ADMIN)


def anonymous(role: Role, roles: RolePermissions) -> Identity:
    """Return the identity of anonymous clients with `role`. Their changes are recorded under the operator's name."""
    match role:
        case Role.READER:
            return replace(ANONYMOUS, permissions=roles.of(role))
        case Role.ADMIN:
            return LOCAL_OPERATOR
        case _:
            return replace(identity(role, OPERATOR.id, roles=roles), is_anonymous=True)


class TokenAuthenticator:
    """Authenticates by API token, by JWT if there is a verifier, or anonymously.

    Tokens are looked up for each request and never cached, so that a revocation by any process takes effect at once.
    While the views of tokens may be out of date, `is_current` checks each token as well.
    """

    def __init__(
        self,
        read: tokens.ReadLatest,
        clock: Clock,
        publication: str,
        *,
        roles: RolePermissions,
        anonymous: Identity = ANONYMOUS,
        verifier: Verifier | None = None,
        is_paused: Callable[[], bool] = lambda: False,
        is_current: Callable[[str, str], Awaitable[bool]] | None = None,
    ) -> None:
        """`is_paused` returns whether the projection of tokens is paused, so that the views may be out of date.

        `is_current` returns whether the token with an id is valid and has a hash, according to the log.
        """
        self._read = read
        self._clock = clock
        self._publication = publication
        self._anonymous = anonymous
        self._roles = roles
        self._identities = BoundedCache[tokens.PresentedToken, Identity](max_entries=_MAX_IDENTITIES)
        self._verifier = verifier
        self._is_paused = is_paused
        self._is_current = is_current

    async def identify(self, authorization: str | None) -> Identity:
        """Return the identity for an Authorization header (RFC 9110, section 11.6.2, and RFC 6750).

        Raises `Unauthenticated`.
        """
        if authorization is None:
            return self._anonymous
        token = _bearer(authorization)
        if token.startswith(PREFIX):
            return await self._by_token(token)
        if self._verifier is None:
            raise Unauthenticated(f"This is not a token of this server; its tokens begin with {PREFIX}.")
        return self._by_claims(await self._verifier.verify(token))

    async def _by_token(self, secret: str) -> Identity:
        presented_hash = secret_hash(secret)
        row = tokens.by_secret_hash(self._read, presented_hash)
        token, stored_hash, is_revoked = row or (None, None, False)
        if not hmac.compare_digest(stored_hash or _NO_HASH, presented_hash) or token is None:
            raise Unauthenticated("Unknown token.")
        if is_revoked or (
            self._is_paused() and self._is_current and not await self._is_current(token.id, presented_hash)
        ):
            raise Unauthenticated("This token has been revoked.")
        if token.expires_at is not None and token.expires_at <= self._clock.now():
            raise Unauthenticated("This token has expired.")
        known = self._identities.get(token)
        if known is None:
            known = self._identity(token)
            self._identities.put(token, known)
        return known

    def _identity(self, token: tokens.PresentedToken) -> Identity:
        if token.role not in set(Role):
            raise Unauthenticated(
                "This token has a role that only a newer version of this server knows. Use another token."
            )
        scopes = token.scope_names
        return identity(
            Role(token.role),
            token.actor_id,
            scopes=None if scopes is None else self._roles.named(scopes),
            token_id=token.id,
            roles=self._roles,
            expires_at=token.expires_at,
        )

    def ended_tokens(self, snapshot: Snapshot, token_ids: Collection[str]) -> Mapping[str, int]:
        """Return those of `token_ids` that have ended, each with the position of the revocation, 0 if it is unknown."""
        return tokens.ended(snapshot, token_ids)

    def _by_claims(self, claims: VerifiedClaims) -> Identity:
        """Return the identity of a subject, with the permissions of all its roles. Unknown roles are ignored."""
        roles = [role for role in _LEAST_FIRST if role.value in claims.roles] or [Role.READER]
        permissions = self._roles.of(*roles)
        return Identity(
            roles[-1],
            permissions if claims.scopes is None else permissions & self._roles.named(claims.scopes),
            uuid8(self._publication, claims.issuer, claims.subject),
            actor_name=claims.name,
            expires_at=claims.expires_at,
        )


def _bearer(authorization: str) -> str:
    """Return the token in the value of the header. Raises `Unauthenticated` if there is none."""
    match = _CREDENTIALS.fullmatch(authorization) if len(authorization) <= _LONGEST else None
    if match is None or match[1].lower() != "bearer" or not match[2]:
        raise Unauthenticated("The Authorization header must contain “Bearer”, a space and a token.")
    return match[2]
