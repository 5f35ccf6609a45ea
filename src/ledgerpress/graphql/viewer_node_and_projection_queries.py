"""The kernel's own part of the schema: the current user, objects by id, moments and projections."""

from enum import Enum
from typing import Final

import strawberry

from ledgerpress.commands.roles_and_permissions import (
    KERNEL_PERMISSIONS,
    READ_OPERATIONS,
    RequiredPermission,
    Role,
)
from ledgerpress.graphql.as_of import AsOf, MomentType, describe, moment_of
from ledgerpress.graphql.context import PointInTime, RequestInfo
from ledgerpress.graphql.errors import BadRequest
from ledgerpress.graphql.feature_declarations import SchemaContribution, SchemaDeclarations, declarations_of
from ledgerpress.graphql.mutations import UserError
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.relay.connection import PageInfo
from ledgerpress.graphql.relay.global_ids import Node
from ledgerpress.graphql.scalars import Position
from ledgerpress.views.projection import checkpoints
from ledgerpress.views.projection.lag import lags


@strawberry.enum(description="Whether a projection follows the log.")
class ProjectionState(Enum):
    RUNNING = "RUNNING"
    PAUSED = strawberry.enum_value(
        "PAUSED", description="It failed at the event after its checkpoint, and waits."
    )


@strawberry.type(description="A digest of a projection's rows. Of one position it is the same in all views.")
class Digest:
    position: Position = strawberry.field(description="The position as of which it was taken.")
    sha256: str = strawberry.field(description="SHA-256, in hex.")


@strawberry.type(description="A projection: what turns the log into one read model.")
class Projection:
    name: str
    state: ProjectionState
    checkpoint: Position = strawberry.field(description="The position of the last event that it has applied.")
    lag: int = strawberry.field(description="How many events it has still to apply.")
    lag_seconds: float = strawberry.field(
        description="For how many seconds the first event that it has still to apply has been recorded; 0 where there is none."
    )
    failed_at: Position | None = strawberry.field(
        description="The position of the event at which it is paused; null while it runs."
    )
    error: str | None = strawberry.field(description="Why it is paused.")
    digest: Digest | None = strawberry.field(
        description="What its rows came to when they were last digested: when the views were made, or compared in a rebuild."
    )


RoleEnum = strawberry.enum(Role, name="Role", description="What somebody is to the publication.")
PermissionEnum = strawberry.enum(  # type: ignore[call-overload]
    Enum("Permission", {permission.enum_name: str(permission) for permission in KERNEL_PERMISSIONS}),
    name="Permission",
    description="Something that not everyone may do: a scope of a token.",
)
"""Each schema has the permissions of its features, too."""


@strawberry.type(description="Who asks, as this server takes them.")
class Viewer:
    role: RoleEnum  # type: ignore[valid-type]
    permissions: list[PermissionEnum] = strawberry.field(  # type: ignore[valid-type]
        description="What they may do: what comes with the role, or as much of it as the token has."
    )


MAX_NODES: Final = 100


@strawberry.type
class KernelQueries:
    @strawberry.field(description="Who asks, as this server takes them.")
    def viewer(self, info: RequestInfo) -> Viewer:
        identity = info.context.identity
        every = declarations_of(info).roles.every
        permissions = every if identity.may_everything else identity.permissions
        return Viewer(role=identity.role, permissions=sorted(permissions))

    @strawberry.field(description="An object by its id; null where there is none, or none to be seen.")
    def node(self, info: RequestInfo, id: strawberry.ID) -> Node | None:
        return _node(declarations_of(info), info.context.today, id)

    @strawberry.field(description="Objects by their ids, in the same order; at most 100.")
    def nodes(self, info: RequestInfo, ids: list[strawberry.ID]) -> list[Node | None]:
        if len(ids) > MAX_NODES:
            raise BadRequest(f"There are {len(ids)} ids; at most {MAX_NODES} may be asked for at once.")
        return [_node(declarations_of(info), info.context.today, id_) for id_ in ids]

    @strawberry.field(description="The position that a moment resolves to; without asOf, today's.")
    def moment(self, info: RequestInfo, as_of: AsOf | None = None) -> MomentType:
        return describe(moment_of(info.context, as_of))

    @strawberry.field(description="How far each projection has come.")
    async def projections(self, info: RequestInfo) -> list[Projection]:
        store = info.context.store
        points = store.checkpoints
        behind = await lags(store.log, points, store.clock.now(), store.log_health)
        digests = checkpoints.digests(info.context.today.snapshot.db)
        return [
            Projection(
                name=name,
                state=ProjectionState.PAUSED if point.is_paused else ProjectionState.RUNNING,
                checkpoint=Position(point.position),
                lag=behind[name].events,
                lag_seconds=behind[name].seconds,
                failed_at=None if point.failed_at is None else Position(point.failed_at),
                error=point.error,
                digest=Digest(position=Position(digest[0]), sha256=digest[1])
                if (digest := digests.get(name))
                else None,
            )
            for name, point in points.items()
        ]


def _node(declarations: SchemaDeclarations, moment: PointInTime, global_id: str) -> Node | None:
    """Return the object with a global id as of `moment`. Raises `BadRequest` for an invalid id."""
    decoded = global_ids.decode(global_id)
    if decoded is None:
        raise BadRequest("This is not an id that this server gave out.")
    load = declarations.nodes.get(decoded.type)
    return load(moment, decoded.id) if load else None


KERNEL: Final = SchemaContribution(
    query=KernelQueries,
    types=(PageInfo, UserError),
    permissions={
        "Query.viewer": None,
        "Query.node": None,
        "Query.nodes": None,
        "Query.moment": None,
        "Query.projections": RequiredPermission(READ_OPERATIONS),
    },
    objects=dict.fromkeys(("Digest", "Moment", "PageInfo", "Projection", "UserError", "Viewer")),
    weights={"Query.projections": 10.0, "*.totalCount": 2.0},
    sizes={"*.userErrors": 3},
    list_arguments={"Query.nodes": "ids"},
)
