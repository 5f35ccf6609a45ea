"""Who asks, and what they may do: roles, the permissions that come with them, and identities."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

OPERATOR_ACTOR_ID: Final = "00000000-0000-8000-8000-000000000002"
"""Records what is done on the data directory itself, such as through the command line."""


class Role(StrEnum):
    """What somebody is to the publication."""

    READER = "reader"
    """Anyone: sees the articles that are public."""
    AUTHOR = "author"
    """Writes posts, and works on those alone."""
    EDITOR = "editor"
    """Works on all content."""
    AUDITOR = "auditor"
    """Sees everything that was ever recorded, and changes nothing."""
    ADMIN = "admin"
    """May do everything."""


class Permission(StrEnum):
    """Something that not everyone may do. A token's scopes are permissions too: it has those that its role has as well."""

    READ_OWN_POSTS = "posts:read-own"
    READ_POSTS = "posts:read"
    READ_HISTORY = "history:read"
    WRITE_OWN_POSTS = "posts:write-own"
    WRITE_POSTS = "posts:write"
    WRITE_CATEGORIES = "categories:write"
    WRITE_PEOPLE = "people:write"
    WRITE_SITE = "site:write"
    READ_OPERATIONS = "operations:read"
    WRITE_OPERATIONS = "operations:write"
    READ_TOKENS = "tokens:read"
    WRITE_TOKENS = "tokens:write"


_OWN: Final = frozenset({Permission.READ_OWN_POSTS, Permission.WRITE_OWN_POSTS})
_CONTENT: Final = _OWN | {
    Permission.READ_POSTS,
    Permission.READ_HISTORY,
    Permission.WRITE_POSTS,
    Permission.WRITE_CATEGORIES,
    Permission.WRITE_PEOPLE,
    Permission.WRITE_SITE,
}
GRANTED: Final[dict[Role, frozenset[Permission]]] = {
    Role.READER: frozenset(),
    Role.AUTHOR: _OWN,
    Role.EDITOR: _CONTENT,
    Role.AUDITOR: frozenset(
        {
            Permission.READ_OWN_POSTS,
            Permission.READ_POSTS,
            Permission.READ_HISTORY,
            Permission.READ_OPERATIONS,
            Permission.READ_TOKENS,
        }
    ),
    Role.ADMIN: frozenset(Permission),
}
"""The permissions that come with each role."""


@dataclass(frozen=True, slots=True)
class RequiredPermission:
    """The permission that a field or a command requires; for the actor's own posts, `own` suffices.

    Without `permission`, all permissions are required.
    """

    permission: Permission | None
    own: Permission | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """The client of a request. `actor_id` is `None` for anonymous clients, who cannot change anything.

    An actor with `actor_name` who is not registered yet is registered with the first command.
    """

    role: Role
    permissions: frozenset[Permission]
    actor_id: str | None = None
    token_id: str | None = None
    actor_name: str | None = None

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    def meets(self, need: RequiredPermission) -> bool:
        """Return whether the client has what is required for any post."""
        if need.permission is None:
            return self.permissions >= frozenset(Permission)
        return need.permission in self.permissions

    def meets_with_own(self, need: RequiredPermission) -> bool:
        """Return whether the client has what is required for posts of its own."""
        return need.own is not None and self.actor_id is not None and need.own in self.permissions

    @property
    def scope(self) -> tuple[object, ...]:
        """The key of cached responses: two clients with the same scope get the same response.

        It includes the actor, since `viewer` shows who the client is.
        """
        return (self.role, tuple(sorted(self.permissions)), self.actor_id)


ANONYMOUS: Final = Identity(Role.READER, frozenset())
LOCAL_OPERATOR: Final = Identity(Role.ADMIN, GRANTED[Role.ADMIN], OPERATOR_ACTOR_ID)
"""The user of the command line, who has the data directory."""


def identity(
    role: Role,
    actor_id: str | None,
    *,
    scopes: frozenset[Permission] | None = None,
    token_id: str | None = None,
) -> Identity:
    """Return the identity of a client with `role`, restricted to `scopes` if they are given."""
    granted = GRANTED[role]
    return Identity(role, granted if scopes is None else granted & scopes, actor_id, token_id)


class PermissionDenied(Exception):
    """The user lacks `permission`; `None` stands for every permission."""

    def __init__(self, permission: Permission | None) -> None:
        super().__init__(f"This needs {permission.value if permission else 'every permission'}.")
        self.permission = permission


class Unauthenticated(Exception):
    """The credentials of a request are not valid. The message is for the client, and contains no secret."""


class Authenticator(Protocol):
    """Authenticates requests."""

    async def identify(self, authorization: str | None) -> Identity:
        """Return the identity for an Authorization header (RFC 9110, section 11.6.2). Raises `Unauthenticated`."""
        ...


class FixedIdentity:
    """Gives every request the same identity."""

    def __init__(self, everyone: Identity) -> None:
        self._everyone = everyone

    async def identify(self, authorization: str | None) -> Identity:
        return self._everyone


@dataclass(frozen=True, slots=True)
class VerifiedClaims:
    """The claims of a verified JWT. `scopes` is `None` if they are not used."""

    issuer: str
    subject: str
    name: str
    roles: frozenset[str]
    scopes: frozenset[str] | None


class Verifier(Protocol):
    """Verifies JWTs (RFC 7519)."""

    async def verify(self, token: str) -> VerifiedClaims:
        """Return the claims of `token`. Raises `Unauthenticated`."""
        ...
