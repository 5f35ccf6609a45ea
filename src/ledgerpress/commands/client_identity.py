"""The identity of a client, and the ports that authenticate requests and verify JWTs."""

from dataclasses import dataclass
from typing import Final, Protocol

from ledgerpress.commands.roles_and_permissions import (
    RequiredPermission,
    Role,
    RolePermissions,
)

OPERATOR_ACTOR_ID: Final = "00000000-0000-8000-8000-000000000002"
"""The actor of changes that are made directly on the data directory, for example with the command line."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity of a client. Without an `actor_id`, the client cannot change anything.

    `is_anonymous` means that the client sent no credentials. If `actor_name` is set, an actor that is not registered yet is registered with the first command. `may_everything`
    includes the permissions of every feature. At `expires_at`, in microseconds since 1970, UTC, the credentials expire.
    """

    role: Role
    permissions: frozenset[str]
    actor_id: str | None = None
    token_id: str | None = None
    actor_name: str | None = None
    may_everything: bool = False
    expires_at: int | None = None
    is_anonymous: bool = False

    def may(self, permission: str) -> bool:
        return self.may_everything or permission in self.permissions

    def meets(self, need: RequiredPermission, roles: RolePermissions) -> bool:
        """Return whether the client has the required permission for all objects.

        `roles` contains the permissions of the process.
        """
        if need.permission is None:
            return self.may_everything or self.permissions >= roles.first_party
        return self.may(need.permission)

    def meets_with_own(self, need: RequiredPermission) -> bool:
        """Return whether the client has the required permission for its own objects."""
        return need.own is not None and self.actor_id is not None and need.own in self.permissions

    @property
    def is_public(self) -> bool:
        """Whether the client has no permission, and so sees what every reader sees."""
        return not (self.permissions or self.may_everything)

    @property
    def scope(self) -> tuple[object, ...]:
        """A part of the key of cached responses: clients with the same scope get the same response.

        It includes the actor, because the field `viewer` depends on it, and whether the client is anonymous, because
        errors depend on it.
        """
        permissions = tuple(sorted(self.permissions))
        return (self.role, permissions, self.actor_id, self.may_everything, self.is_anonymous)


ANONYMOUS: Final = Identity(Role.READER, frozenset(), is_anonymous=True)
LOCAL_OPERATOR: Final = Identity(Role.ADMIN, frozenset(), OPERATOR_ACTOR_ID, may_everything=True)
"""The user of the command line, who has access to the data directory."""


def identity(
    role: Role,
    actor_id: str | None,
    *,
    roles: RolePermissions,
    scopes: frozenset[str] | None = None,
    token_id: str | None = None,
    expires_at: int | None = None,
) -> Identity:
    """Return the identity of a client with `role`, restricted to `scopes` if they are given.

    `roles` contains the permissions of the process.
    """
    granted = roles.of(role)
    permissions = granted if scopes is None else granted & scopes
    return Identity(role, permissions, actor_id, token_id, expires_at=expires_at)


class Unauthenticated(Exception):
    """The credentials of a request are invalid. The message is sent to the client and contains no secret."""


class Authenticator(Protocol):
    """An authenticator of requests."""

    async def identify(self, authorization: str | None) -> Identity:
        """Return the identity for an Authorization header (RFC 9110, section 11.6.2). Raises `Unauthenticated`."""
        ...


class FixedIdentity:
    """An authenticator that gives every request the same identity."""

    def __init__(self, everyone: Identity) -> None:
        self._everyone = everyone

    async def identify(self, authorization: str | None) -> Identity:
        return self._everyone


@dataclass(frozen=True, slots=True)
class VerifiedClaims:
    """The claims of a verified JWT. `scopes` is `None` if scopes do not restrict the permissions.

    At `expires_at`, in microseconds since 1970, UTC, the JWT is no longer accepted.
    """

    issuer: str
    subject: str
    name: str
    roles: frozenset[str]
    scopes: frozenset[str] | None
    expires_at: int | None = None


class Verifier(Protocol):
    """A verifier of JWTs (RFC 7519)."""

    async def verify(self, token: str) -> VerifiedClaims:
        """Return the claims of `token`. Raises `Unauthenticated` if it is invalid."""
        ...
