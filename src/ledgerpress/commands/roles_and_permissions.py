"""Roles, the permissions that come with them, and the permissions that fields and commands require."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self


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
    """Something that not everyone may do. A token's scopes are permissions too: it has those that its role has as well.

    These are the permissions of LedgerPress itself. A feature adds others as `ContributedPermission`.
    """

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
"""The permissions of LedgerPress itself that come with each role."""


class ContributedPermission(str):
    """A permission that a feature adds, such as `x.factcheck:write`, and the roles that have it. ADMIN always has it."""

    __slots__ = ("roles",)

    roles: frozenset[Role]

    def __new__(cls, name: str, *, roles: Iterable[Role] = ()) -> Self:
        self = super().__new__(cls, name)
        self.roles = frozenset({*roles, Role.ADMIN})
        return self

    @property
    def enum_name(self) -> str:
        """Its name in the GraphQL enum: `X_FACTCHECK_WRITE` for `x.factcheck:write`."""
        return re.sub(r"[^A-Z0-9]+", "_", self.upper())


class RolePermissions:
    """The permissions that exist in a process, and those that come with each role."""

    def __init__(self, contributed: Iterable[ContributedPermission] = ()) -> None:
        self.contributed: Final = tuple(contributed)
        """The permissions that features add."""
        self.in_order: Final[tuple[str, ...]] = (*Permission, *self.contributed)
        self.every: Final = frozenset(self.in_order)
        self._granted: Final[dict[Role, frozenset[str]]] = {
            role: GRANTED[role].union(added for added in self.contributed if role in added.roles)
            for role in Role
        }

    def of(self, *roles: Role) -> frozenset[str]:
        """Return the permissions that come with any of the roles."""
        return frozenset[str]().union(*(self._granted[role] for role in roles))

    def named(self, names: Iterable[str]) -> frozenset[str]:
        """Return the permissions that `names` name; others are not permissions of this process."""
        return self.every.intersection(names)


OWN_PERMISSIONS: Final = RolePermissions()
"""Those of a process without third-party features."""


@dataclass(frozen=True, slots=True)
class RequiredPermission:
    """The permission that a field or a command requires; for the actor's own posts, `own` suffices.

    Without `permission`, all permissions of LedgerPress itself are required.
    """

    permission: str | None
    own: str | None = None


class PermissionDenied(Exception):
    """The user lacks `permission`; `None` stands for every permission."""

    def __init__(self, permission: str | None) -> None:
        super().__init__(f"This needs {permission or 'every permission'}.")
        self.permission = permission
