"""Roles, the permissions that come with them, and the permissions that fields and commands require."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


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


class PermissionDenied(Exception):
    """The user lacks `permission`; `None` stands for every permission."""

    def __init__(self, permission: Permission | None) -> None:
        super().__init__(f"This needs {permission.value if permission else 'every permission'}.")
        self.permission = permission
