"""Roles, their permissions, and the permissions that fields and commands require.

The set of roles is fixed. The kernel and each feature declare permissions, and which roles have them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from ledgerpress.eventlog.unknown_third_party_events import THIRD_PARTY


class Role(StrEnum):
    """The role of a user in the publication."""

    READER = "reader"
    """Anyone: sees public articles."""
    AUTHOR = "author"
    """Writes posts, and works on their own posts only."""
    EDITOR = "editor"
    """Works on all content."""
    AUDITOR = "auditor"
    """Sees everything that was ever recorded, but changes nothing."""
    ADMIN = "admin"
    """May do everything."""


class Permission(str):
    """A permission, such as `posts:write`, and the roles that have it. ADMIN has every permission.

    The scopes of a token are permissions, too: the token has those of its scopes that its role has as well. Names are
    stored in tokens and in the configurations of JWT issuers: after a release, a name never changes. The rules are in
    docs/decisions/0036-third-party-features.md.
    """

    __slots__ = ("enum_name", "order", "roles", "shows_internal")

    enum_name: str
    """Its name in the GraphQL enum."""
    order: int
    """Its place in lists of permissions."""
    roles: frozenset[Role]
    shows_internal: bool
    """Whether content that is not public requires it.

    Responses that depend on an internal `Topic` are cached only for clients with all these permissions.
    """

    def __new__(
        cls,
        name: str,
        *,
        roles: Iterable[Role] = (),
        enum_name: str | None = None,
        order: int = 100,
        shows_internal: bool = False,
    ) -> Self:
        """Return a permission.

        By default, `enum_name` is derived from `name`: `X_FACTCHECK_WRITE` for `x.factcheck:write`. Permissions are
        listed by `order`, then in the order of the features. The default order is after the permissions of LedgerPress.
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
"""See the history: the past of every object (`asOf`), changes and actors."""
READ_OPERATIONS: Final = Permission(
    "operations:read", roles=[Role.AUDITOR], enum_name="READ_OPERATIONS", order=9
)
WRITE_OPERATIONS: Final = Permission("operations:write", enum_name="WRITE_OPERATIONS", order=10)
KERNEL_PERMISSIONS: Final = (READ_HISTORY, READ_OPERATIONS, WRITE_OPERATIONS)


class RolePermissions:
    """The permissions that exist in a process, and the permissions of each role."""

    def __init__(self, contributed: Iterable[Permission] = ()) -> None:
        self.contributed: Final = tuple(contributed)
        """The permissions of first-party and third-party features."""
        permissions = (*KERNEL_PERMISSIONS, *self.contributed)
        self.in_order: Final = tuple(sorted(permissions, key=lambda permission: permission.order))
        self.every: Final = frozenset[str](permissions)
        self.first_party: Final = frozenset(
            permission for permission in permissions if not permission.startswith(THIRD_PARTY)
        )
        """The permissions of the kernel and of first-party features, which `RequiredPermission(None)` requires."""
        self.showing_internal: Final = frozenset(
            permission for permission in permissions if permission.shows_internal
        )
        """The permissions with `shows_internal`."""
        self._granted: Final[dict[Role, frozenset[str]]] = {
            role: frozenset(permission for permission in permissions if role in permission.roles)
            for role in Role
        }

    def of(self, *roles: Role) -> frozenset[str]:
        """Return the permissions that any of the roles has."""
        return frozenset[str]().union(*(self._granted[role] for role in roles))

    def named(self, names: Iterable[str]) -> frozenset[str]:
        """Return those permissions of this process that are in `names`; other names are ignored."""
        return self.every.intersection(names)


@dataclass(frozen=True, slots=True)
class RequiredPermission:
    """The permission that a field or a command requires. For the actor's own objects, `own` is sufficient.

    If `permission` is `None`, all permissions of the kernel and of the first-party features of the process are
    required, regardless of the third-party features that are installed.
    """

    permission: str | None
    own: str | None = None


class PermissionDenied(Exception):
    """The user lacks `permission`. `None` means every permission."""

    def __init__(self, permission: str | None) -> None:
        super().__init__(f"This needs {permission or 'every permission'}.")
        self.permission = permission
