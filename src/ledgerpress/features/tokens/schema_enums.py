"""Roles and permissions, by the names that clients know them by."""

import strawberry

from ledgerpress.commands.identity import Permission, Role

RoleEnum = strawberry.enum(Role, name="Role", description="What somebody is to the publication.")
PermissionEnum = strawberry.enum(
    Permission, name="Permission", description="Something that not everyone may do: a scope of a token."
)
