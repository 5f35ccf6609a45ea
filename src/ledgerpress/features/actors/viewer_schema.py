"""The caller: in which role they ask, and what that lets them do."""

import strawberry

from ledgerpress.features.actors.schema import Actor, actor_of
from ledgerpress.features.tokens.schema_enums import PermissionEnum, RoleEnum
from ledgerpress.graphql.context import Context


@strawberry.type(description="Who asks, as this server takes them.")
class Viewer:
    """Who asks."""

    role: RoleEnum  # type: ignore[valid-type]
    permissions: list[PermissionEnum] = strawberry.field(  # type: ignore[valid-type]
        description="What they may do: what comes with the role, or as much of it as the token has."
    )
    actor: Actor | None = strawberry.field(
        description="Under which name their changes are recorded; null for who has not said who they are."
    )


def viewer_of(context: Context) -> Viewer:
    """Return the caller."""
    identity = context.identity
    return Viewer(
        role=identity.role,
        permissions=sorted(identity.permissions),
        actor=actor_of(identity.actor_id, context.today) if identity.actor_id else None,
    )
