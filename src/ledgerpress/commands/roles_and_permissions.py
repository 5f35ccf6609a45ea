"""Roles, permissions and the roles that have them, and the permissions that fields and commands require.

Roles are a closed set; permissions are declared by the kernel and by each feature.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from ledgerpress.eventlog.unknown_third_party_events import THIRD_PARTY


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


class Permission(str):
    """Something that not everyone may do, such as `posts:write`, and the roles that have it. ADMIN always has it.

    A token's scopes are permissions too: it has those that its role has as well. Names are stored in tokens and in the
    configurations of issuers of JWTs: a name, once shipped, stays. docs/decisions/0036-third-party-features.md has the rules.
    """

    __slots__ = ("enum_name", "order", "roles", "shows_internal")

    enum_name: str
    """Its name in the GraphQL enum."""
    order: int
    """Its place in lists of permissions."""
    roles: frozenset[Role]
    shows_internal: bool
    """Whether what is not public requires it, so that cached answers with an internal `Topic` do, too."""

    def __new__(
        cls,
        name: str,
        *,
        roles: Iterable[Role] = (),
        enum_name: str | None = None,
        order: int = 100,
        shows_internal: bool = False,
    ) -> Self:
        """Return a permission. `enum_name` is derived from `name` by default: `X_FACTCHECK_WRITE` for `x.factcheck:write`.

        Permissions are listed by `order`, then in the order of the features: without one, after those of LedgerPress.
        """
        self = super().__new__(cls, name)
        self.roles = frozenset({*roles, Role.ADMIN})
        self.enum_name = enum_name or re.sub(r"[^A-Z0-9]+", "_", name.upper())
        self.order = order
        self.shows_internal = shows_internal
        return self


READ_HISTORY: Final = Permission(
    "history:read", roles=[Role.EDITOR, Role.AUDITOR], enum_name="READ_HISTORY", order=3
)
"""See what was recorded before, and by whom: the past of every object (`asOf`), changes and actors."""
READ_OPERATIONS: Final = Permission(
    "operations:read", roles=[Role.AUDITOR], enum_name="READ_OPERATIONS", order=9
)
WRITE_OPERATIONS: Final = Permission("operations:write", enum_name="WRITE_OPERATIONS", order=10)
KERNEL_PERMISSIONS: Final = (READ_HISTORY, READ_OPERATIONS, WRITE_OPERATIONS)


class RolePermissions:
    """The permissions that exist in a process, and those that come with each role."""

    def __init__(self, contributed: Iterable[Permission] = ()) -> None:
        self.contributed: Final = tuple(contributed)
        """The permissions of features, first-party and third-party alike."""
        permissions = (*KERNEL_PERMISSIONS, *self.contributed)
        self.in_order: Final = tuple(sorted(permissions, key=lambda permission: permission.order))
        self.every: Final = frozenset[str](permissions)
        self.first_party: Final = frozenset(
            permission for permission in permissions if not permission.startswith(THIRD_PARTY)
        )
        """Those of the kernel and of first-party features: what `RequiredPermission(None)` requires."""
        self.showing_internal: Final = frozenset(
            permission for permission in permissions if permission.shows_internal
        )
        """Those that are all required for cached answers with an internal `Topic`."""
        self._granted: Final[dict[Role, frozenset[str]]] = {
            role: frozenset(permission for permission in permissions if role in permission.roles)
            for role in Role
        }

    def of(self, *roles: Role) -> frozenset[str]:
        """Return the permissions that come with any of the roles."""
        return frozenset[str]().union(*(self._granted[role] for role in roles))

    def named(self, names: Iterable[str]) -> frozenset[str]:
        """Return the permissions that `names` name; others are not permissions of this process."""
        return self.every.intersection(names)


@dataclass(frozen=True, slots=True)
class RequiredPermission:
    """The permission that a field or a command requires; for the actor's own objects, `own` suffices.

    Without `permission`, everything is required that LedgerPress itself has: the permissions of the kernel and of the
    first-party features of the process, whatever third-party features are installed.
    """

    permission: str | None
    own: str | None = None


class PermissionDenied(Exception):
    """The user lacks `permission`; `None` stands for every permission."""

    def __init__(self, permission: str | None) -> None:
        super().__init__(f"This needs {permission or 'every permission'}.")
        self.permission = permission
