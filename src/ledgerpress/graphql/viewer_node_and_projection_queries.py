"""The kernel's part of the schema: the current user, objects by id, moments and projections."""

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
from ledgerpress.graphql.context import RequestInfo
from ledgerpress.graphql.errors import BadRequest
from ledgerpress.graphql.feature_declarations import SchemaContribution, declarations_of
from ledgerpress.graphql.mutations import UserError
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.relay.connection import PageInfo
from ledgerpress.graphql.relay.global_ids import Node
from ledgerpress.graphql.scalars import Position, described_enum
from ledgerpress.views.projection import checkpoints
from ledgerpress.views.projection.lag import lags


@strawberry.enum(description="Whether a projection follows the log.")
class ProjectionState(Enum):
    RUNNING = "RUNNING"
    PAUSED = strawberry.enum_value(
        "PAUSED", description="It could not apply the event after its checkpoint, and has stopped there."
    )


@strawberry.type(
    description="A digest of a projection's rows. As of the same position, all views have the same digest."
)
class Digest:
    position: Position = strawberry.field(description="The position as of which the digest was computed.")
    sha256: str = strawberry.field(description="SHA-256, in hex.")


@strawberry.type(description="A projection: a set of read models that follows the log.")
class Projection:
    name: str
    state: ProjectionState
    checkpoint: Position = strawberry.field(description="The position of the last event that it has applied.")
    lag: int = strawberry.field(description="The number of events that it has not applied yet.")
    lag_seconds: float = strawberry.field(
        description="The age of the oldest event that it has not applied yet, in seconds; 0 if there is none."
    )
    failed_at: Position | None = strawberry.field(
        description="The position of the event that it could not apply; null unless it is paused."
    )
    error: str | None = strawberry.field(description="The reason why it is paused.")
    digest: Digest | None = strawberry.field(
        description="The last digest of its rows, computed when the views were built or compared in a rebuild."
    )


RoleEnum = described_enum(
    Role,
    name="Role",
    description="The role of a user in the publication.",
    values={
        Role.READER: "Reads public articles. Anonymous clients have this role.",
        Role.AUTHOR: "Writes posts, and reads and changes their own posts only.",
        Role.EDITOR: "Reads and changes all content.",
        Role.AUDITOR: "Reads everything, including the history and tokens, and changes nothing.",
        Role.ADMIN: "Has all permissions.",
    },
)
PermissionEnum = strawberry.enum(  # type: ignore[call-overload]
    Enum("Permission", {permission.enum_name: str(permission) for permission in KERNEL_PERMISSIONS}),
    name="Permission",
    description="A permission. The scopes of tokens are permissions, too. docs/reference/access.md lists what each permits.",
)
"""In a schema, the enum also has the permissions of the features."""


@strawberry.type(description="The current user.")
class Viewer:
    role: RoleEnum  # type: ignore[valid-type]
    permissions: list[PermissionEnum] = strawberry.field(  # type: ignore[valid-type]
        description="The user's permissions: those of the role, limited to the scopes of the token."
    )


MAX_NODES: Final = 100


@strawberry.type
class KernelQueries:
    @strawberry.field(description="The current user.")
    def viewer(self, info: RequestInfo) -> Viewer:
        identity = info.context.identity
        every = declarations_of(info).roles.every
        permissions = every if identity.may_everything else identity.permissions
        return Viewer(role=identity.role, permissions=sorted(permissions))

    @strawberry.field(
        description="The object with this id; null if it does not exist or is hidden from you. An id that contains a "
        "position needs no asOf."
    )
    def node(self, info: RequestInfo, id: strawberry.ID, as_of: AsOf | None = None) -> Node | None:
        return _node(info, id, as_of)

    @strawberry.field(
        description="The objects with these ids, in the same order; at most 100. An object is null if it does not exist "
        "or is hidden from you, and for an invalid id, with an error at its index."
    )
    def nodes(
        self, info: RequestInfo, ids: list[strawberry.ID], as_of: AsOf | None = None
    ) -> list[Node | None]:
        if len(ids) > MAX_NODES:
            raise BadRequest(f"There are {len(ids)} ids; at most {MAX_NODES} are allowed in one request.")
        return [_node_or_error(info, id_, as_of) for id_ in ids]

    @strawberry.field(description="The moment that asOf names; without asOf, the current moment.")
    def moment(self, info: RequestInfo, as_of: AsOf | None = None) -> MomentType:
        return describe(moment_of(info.context, as_of))

    @strawberry.field(description="The state of each projection.")
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


def _node(info: RequestInfo, global_id: str, as_of: AsOf | None) -> Node | None:
    """Return the object with the global id, as of the position in the id or as of `as_of`.

    Raises `BadRequest` for an invalid id, and if the id contains another position than `as_of`; and `AccessDenied` if
    the viewer may not see the past of the object.
    """
    decoded, declarations = global_ids.decode(global_id), declarations_of(info)
    if decoded is None:
        raise BadRequest("This is not an id of an object on this server.")
    load = declarations.nodes.get(decoded.type)
    if load is None:
        return None
    moment_in = declarations.moments.get(decoded.type, moment_of)
    if decoded.position is None:
        return load(moment_in(info.context, as_of), decoded.id)
    moment = moment_in(info.context, AsOf(position=Position(decoded.position)))
    if as_of is not None and moment_in(info.context, as_of).snapshot.position != decoded.position:
        raise BadRequest(
            f"This is the id of an object as of position {decoded.position}, but asOf is another moment. Omit one of them."
        )
    return load(moment, decoded.id)


def _node_or_error(info: RequestInfo, global_id: str, as_of: AsOf | None) -> Node | None:
    """Return the object with the global id; or the error that executors report at its index in a list."""
    try:
        return _node(info, global_id, as_of)
    except Exception as error:  # noqa: BLE001 - one id must not hide the objects of the others
        return error  # type: ignore[return-value]


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
