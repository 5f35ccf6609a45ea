"""The current user: their role, and what it permits."""

import strawberry

from ledgerpress.commands.roles_and_permissions import Permission, Role

RoleEnum = strawberry.enum(Role, name="Role", description="What somebody is to the publication.")
PermissionEnum = strawberry.enum(
    Permission, name="Permission", description="Something that not everyone may do: a scope of a token."
)


@strawberry.type(description="Who asks, as this server takes them.")
class Viewer:
    """The current user."""

    role: RoleEnum  # type: ignore[valid-type]
    permissions: list[PermissionEnum] = strawberry.field(  # type: ignore[valid-type]
        description="What they may do: what comes with the role, or as much of it as the token has."
    )
