"""Authenticate requests by an API token or a JWT; without credentials, a request is anonymous."""

import hmac
import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from ledgerpress.commands import roles_and_permissions
from ledgerpress.commands.roles_and_permissions import Identity, Permission, Role, Unauthenticated
from ledgerpress.eventlog.clock_randomness_ids import Clock, uuid8
from ledgerpress.eventlog.multi_host_url import is_loopback
from ledgerpress.features.actors.model import OPERATOR
from ledgerpress.features.tokens import read_model as tokens
from ledgerpress.features.tokens.commands import PREFIX, secret_hash
from ledgerpress.views.snapshot import Snapshot

ALGORITHMS: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
"""The signatures that can be allowed (RFC 7518, 3.1 and RFC 8037): those that only the issuer's private key can make."""

_CREDENTIALS: Final = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~-]+)(?: +([A-Za-z0-9._~+/-]+=*))? *")
_LONGEST: Final = 16_384
"""Characters that a header may have at most; a JWT has a few thousand at the most."""
_NO_HASH: Final = "0" * 64
_LEAST_FIRST: Final = (Role.READER, Role.AUTHOR, Role.EDITOR, Role.AUDITOR, Role.ADMIN)


class AccessSettings(msgspec.Struct, kw_only=True, frozen=True):
    """Who may come in, and as what. What makes no sense is refused with a `ValueError`."""

    anonymous_role: Annotated[
        Role,
        Meta(
            description="What a request without an Authorization header may do. Any but reader needs a server that "
            "listens on a loopback address."
        ),
    ] = Role.READER
    oidc_issuer: Annotated[
        str | None, Meta(description="The issuer of JWTs, to the letter. Without one, JWTs are refused.")
    ] = None
    oidc_audience: Annotated[
        str | None, Meta(description="The audience that a JWT must be for; needed with an issuer.")
    ] = None
    oidc_jwks_url: Annotated[
        str | None, Meta(description="Where the issuer's keys are (a JWK set): https, or http on loopback.")
    ] = None
    oidc_jwks_file: Annotated[
        str | None,
        Meta(description="A file with the issuer's keys, instead of the URL; read anew as it changes."),
    ] = None
    oidc_algorithms: Annotated[
        tuple[str, ...],
        Meta(description="The signatures that are accepted; none but asymmetric ones can be."),
    ] = ("RS256", "ES256", "EdDSA")
    oidc_role_claim: Annotated[
        str,
        Meta(
            description="The claim that holds the role, or a list of roles; dots lead inside, as in realm_access.roles."
        ),
    ] = "role"
    oidc_scope_claim: Annotated[
        str | None,
        Meta(
            description="A claim that narrows the role: scopes as a list, or with spaces between. Not used where absent."
        ),
    ] = None
    oidc_leeway_seconds: Annotated[
        int, Meta(ge=0, le=600, description="By how much the issuer's clock may differ from this machine's.")
    ] = 60
    oidc_jwks_seconds: Annotated[
        int, Meta(ge=1, description="How long fetched keys are used before they are fetched again.")
    ] = 300
    oidc_jwks_pause_seconds: Annotated[
        float,
        Meta(ge=0, description="The least pause between two fetches, such as for keys that nobody knows."),
    ] = 10.0
    oidc_jwks_timeout_seconds: Annotated[
        float, Meta(gt=0, description="How long a fetch of the keys may take altogether.")
    ] = 5.0

    def __post_init__(self) -> None:
        """Raise `ValueError`, with words for the operator, for what makes no sense."""
        if refused := [one for one in self.oidc_algorithms if one not in ALGORITHMS]:
            raise ValueError(
                f"JWTs cannot be accepted by {', '.join(refused)}, but by {', '.join(ALGORITHMS)}"
            )
        if self.oidc_issuer is None:
            return
        if not self.oidc_audience:
            raise ValueError("with an OIDC issuer, the audience must be set too")
        if (self.oidc_jwks_url is None) == (self.oidc_jwks_file is None):
            raise ValueError("with an OIDC issuer, set either the URL of its keys (JWKS) or a file with them")

    def check_host(self, host: str) -> None:
        """Raise `ValueError`, with words for the operator, for what must not be served on `host`."""
        if self.anonymous_role is not Role.READER and not is_loopback(host):
            raise ValueError(
                f"everyone who reaches {host} would be {self.anonymous_role.value} without a token: "
                "set the anonymous role to reader, or listen on 127.0.0.1"
            )


def anonymous(role: Role) -> Identity:
    """Return who comes without a token, where they are to have `role`. What they write bears the operator's name."""
    match role:
        case Role.READER:
            return roles_and_permissions.ANONYMOUS
        case Role.ADMIN:
            return roles_and_permissions.LOCAL_OPERATOR
        case _:
            return roles_and_permissions.identity(role, OPERATOR.id)


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
        anonymous: Identity = roles_and_permissions.ANONYMOUS,
        verifier: roles_and_permissions.Verifier | None = None,
        is_paused: Callable[[], bool] = lambda: False,
        is_current: Callable[[tokens.Token], Awaitable[bool]] | None = None,
    ) -> None:
        """Take what it works with. `is_paused` says whether the views of tokens stand still."""
        self._snapshot = snapshot
        self._clock = clock
        self._publication = publication
        self._anonymous = anonymous
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
        scopes = None if found.scopes is None else _permissions(found.scopes)
        return roles_and_permissions.identity(
            Role(found.role), found.actor_id, scopes=scopes, token_id=found.id
        )

    def _by_claims(self, claimed: roles_and_permissions.VerifiedClaims) -> Identity:
        """Return the identity of a subject. It has what any of its roles comes with; of roles unknown here, nothing."""
        roles = [role for role in _LEAST_FIRST if role.value in claimed.roles] or [Role.READER]
        granted = frozenset[Permission]().union(*(roles_and_permissions.GRANTED[role] for role in roles))
        return Identity(
            roles[-1],
            granted if claimed.scopes is None else granted & _permissions(claimed.scopes),
            uuid8(self._publication, claimed.issuer, claimed.subject),
            actor_name=claimed.name,
        )


def _bearer(authorization: str) -> str:
    """Return the token in the value of the header. Raises `Unauthenticated`."""
    match = _CREDENTIALS.fullmatch(authorization) if len(authorization) <= _LONGEST else None
    if match is None or match[1].lower() != "bearer" or not match[2]:
        raise Unauthenticated("The Authorization header must be: Bearer, a space, and a token.")
    return match[2]


def _permissions(scopes: tuple[str, ...] | frozenset[str]) -> frozenset[Permission]:
    """Return the permissions that `scopes` name; others are none of ours."""
    return frozenset(one for one in Permission if one.value in scopes)
