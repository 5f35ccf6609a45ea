"""API tokens, as those see them who look after them. Of a secret there is nothing to see."""

import strawberry

from ledgerpress.commands.identity import Permission, Role
from ledgerpress.features.actors.schema import Actor, actor_of
from ledgerpress.features.tokens import queries as tokens
from ledgerpress.features.tokens.schema_enums import PermissionEnum, RoleEnum
from ledgerpress.graphql.context import PointInTime
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.relay.node import Node
from ledgerpress.graphql.scalars import DateTime


@strawberry.type(description="What a program shows in order to be let in. Its secret is not kept.")
class ApiToken(Node):
    """An API token."""

    moment: strawberry.Private[PointInTime]
    actor_id: strawberry.Private[str | None]
    version: int = strawberry.field(description="Raised with every change; for expectedVersion.")
    name: str | None = strawberry.field(
        description="Null where it was withdrawn; the token is of no use then."
    )
    role: RoleEnum | None = strawberry.field(  # type: ignore[valid-type]
        description="What the token may do; null where it was withdrawn."
    )
    scopes: list[PermissionEnum] | None = strawberry.field(  # type: ignore[valid-type]
        description="Only this, of what the role may do; null for all of it."
    )
    created_at: DateTime
    expires_at: DateTime | None = strawberry.field(
        description="From then on it is of no use; null for never."
    )
    revoked_at: DateTime | None = strawberry.field(description="Since when it has been of no use.")

    @strawberry.field(description="For whom it acts.")
    def actor(self) -> Actor | None:
        """Return for whom the token acts."""
        return None if self.actor_id is None else actor_of(self.actor_id, self.moment)


def token_of(record: tokens.Token, moment: PointInTime) -> ApiToken:
    """Return the token that a record of `moment` holds."""
    return ApiToken(
        id=global_ids.encode("ApiToken", record.id),
        moment=moment,
        actor_id=record.actor_id,
        version=record.version,
        name=record.name,
        role=Role(record.role) if record.role in set(Role) else None,
        scopes=None if record.scopes is None else [one for one in Permission if one.value in record.scopes],
        created_at=DateTime(record.created_at),
        expires_at=None if record.expires_at is None else DateTime(record.expires_at),
        revoked_at=None if record.revoked_at is None else DateTime(record.revoked_at),
    )
