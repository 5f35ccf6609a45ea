"""The kernel's own part of the schema: the current user, objects by id, moments and projections."""

from typing import Final

import strawberry

from ledgerpress.commands.roles_and_permissions import Permission, RequiredPermission
from ledgerpress.graphql.as_of import AsOf, MomentType, describe, moment_of
from ledgerpress.graphql.context import PointInTime, RequestInfo
from ledgerpress.graphql.declarations import SchemaContribution, SchemaDeclarations, declarations_of
from ledgerpress.graphql.errors import BadRequest
from ledgerpress.graphql.mutations import UserError
from ledgerpress.graphql.projection_status import Projection, projections_of
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.relay.connection import PageInfo
from ledgerpress.graphql.relay.node import Node
from ledgerpress.graphql.viewer import Viewer

MAX_NODES: Final = 100


@strawberry.type
class KernelQueries:
    """The queries of the kernel."""

    @strawberry.field(description="Who asks, as this server takes them.")
    def viewer(self, info: RequestInfo) -> Viewer:
        identity = info.context.identity
        return Viewer(role=identity.role, permissions=sorted(identity.permissions))

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
        return await projections_of(info)


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
        "Query.projections": RequiredPermission(Permission.READ_OPERATIONS),
    },
    objects=dict.fromkeys(("Digest", "Moment", "PageInfo", "Projection", "UserError", "Viewer")),
    weights={"Query.projections": 10.0, "*.totalCount": 2.0},
    sizes={"*.userErrors": 3},
    list_arguments={"Query.nodes": "ids"},
)
