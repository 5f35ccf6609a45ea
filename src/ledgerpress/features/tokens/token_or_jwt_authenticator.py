"""Authenticate requests by an API token or a JWT; without credentials, a request is anonymous."""

import hmac
import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Final

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
"""Characters that a header may have at most; a JWT has a few thousand at the most."""
_NO_HASH: Final = "0" * 64
_LEAST_FIRST: Final = (Role.READER, Role.AUTHOR, Role.EDITOR, Role.AUDITOR, Role.ADMIN)


def anonymous(role: Role, roles: RolePermissions) -> Identity:
    """Return who comes without a token, where they are to have `role`. What they write bears the operator's name."""
    match role:
        case Role.READER:
            return replace(ANONYMOUS, permissions=roles.of(role))
        case Role.ADMIN:
            return LOCAL_OPERATOR
        case _:
            return identity(role, OPERATOR.id, roles=roles)


class TokenAuthenticator:
    """Lets in by API token, by JWT where there is a verifier, and anonymously.

    A token is looked up with each request, and what is found is not kept: so it is of no use from the moment at which
    anybody revokes it, in whatever process. `is_current` is asked besides while the look-up may be out of date.
    """

    def __init__(
        self,
        snapshot: Callable[[], AbstractContextManager[Snapshot]],
        clock: Clock,
        publication: str,
        *,
        roles: RolePermissions,
        anonymous: Identity = ANONYMOUS,
        verifier: Verifier | None = None,
        is_paused: Callable[[], bool] = lambda: False,
        is_current: Callable[[tokens.Token], Awaitable[bool]] | None = None,
    ) -> None:
        """Take what it works with. `is_paused` says whether the views of tokens stand still."""
        self._snapshot = snapshot
        self._clock = clock
        self._publication = publication
        self._anonymous = anonymous
        self._roles = roles
        self._verifier = verifier
        self._is_paused = is_paused
        self._is_current = is_current

    async def identify(self, authorization: str | None) -> Identity:
        """Return whose the value of an Authorization header is (RFC 9110, 11.6.2; RFC 6750). Raises `Unauthenticated`."""
        if authorization is None:
            return self._anonymous
        token = _bearer(authorization)
        if token.startswith(PREFIX):
            return await self._by_token(token)
        if self._verifier is None:
            raise Unauthenticated(f"This is not a token of this server: its tokens begin with {PREFIX}.")
        return self._by_claims(await self._verifier.verify(token))

    async def _by_token(self, secret: str) -> Identity:
        sought = secret_hash(secret)
        with self._snapshot() as snapshot:
            found = tokens.by_secret_hash(snapshot, sought)
        kept = (found.secret_hash if found else None) or _NO_HASH
        if not hmac.compare_digest(kept, sought) or found is None:
            raise Unauthenticated("No such token is known here.")
        if found.revoked_at is not None or (
            self._is_paused() and self._is_current and not await self._is_current(found)
        ):
            raise Unauthenticated("This token has been revoked.")
        if found.expires_at is not None and found.expires_at <= self._clock.now():
            raise Unauthenticated("This token has expired.")
        if found.role not in set(Role):
            raise Unauthenticated("This token is for a newer version of this server.")
        scopes = None if found.scopes is None else self._roles.named(found.scopes)
        return identity(Role(found.role), found.actor_id, scopes=scopes, token_id=found.id, roles=self._roles)

    def _by_claims(self, claimed: VerifiedClaims) -> Identity:
        """Return the identity of a subject. It has what any of its roles comes with; of roles unknown here, nothing."""
        roles = [role for role in _LEAST_FIRST if role.value in claimed.roles] or [Role.READER]
        granted = self._roles.of(*roles)
        return Identity(
            roles[-1],
            granted if claimed.scopes is None else granted & self._roles.named(claimed.scopes),
            uuid8(self._publication, claimed.issuer, claimed.subject),
            actor_name=claimed.name,
        )


def _bearer(authorization: str) -> str:
    """Return the token in the value of the header. Raises `Unauthenticated`."""
    match = _CREDENTIALS.fullmatch(authorization) if len(authorization) <= _LONGEST else None
    if match is None or match[1].lower() != "bearer" or not match[2]:
        raise Unauthenticated("The Authorization header must be: Bearer, a space, and a token.")
    return match[2]
