"""Identities with the permissions of the first-party features, and the expected permissions of each role."""

from functools import partial
from typing import Final

from ledgerpress.commands import client_identity
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.features.registry import FEATURES

identity: Final = partial(client_identity.identity, roles=FEATURES.roles)

_OWN: Final = {"posts:read-own", "posts:write-own"}
_CONTENT: Final = {
    "posts:read", "history:read", "posts:write", "categories:write", "people:write", "site:write",
}  # fmt: skip
_READ: Final = {"posts:read-own", "posts:read", "history:read", "operations:read", "tokens:read"}
GRANTED: Final[dict[Role, frozenset[str]]] = {
    Role.READER: frozenset(),
    Role.AUTHOR: frozenset(_OWN),
    Role.EDITOR: frozenset(_OWN | _CONTENT),
    Role.AUDITOR: frozenset(_READ),
    Role.ADMIN: frozenset(_OWN | _CONTENT | _READ | {"operations:write", "tokens:write"}),
}
PERMISSIONS: Final = GRANTED[Role.ADMIN]
