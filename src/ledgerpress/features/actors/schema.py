"""The GraphQL schema of actors, and what features that require actors need for theirs."""

from typing import Final

import strawberry

from ledgerpress.commands.client_identity import Identity
from ledgerpress.commands.roles_and_permissions import READ_HISTORY, RequiredPermission
from ledgerpress.features.actors import projector_and_queries as actors_queries
from ledgerpress.features.actors.model import ActorKind
from ledgerpress.features.actors.permissions import READ_OWN_POSTS
from ledgerpress.graphql.context import PointInTime, RequestInfo
from ledgerpress.graphql.feature_declarations import SchemaContribution
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.relay.global_ids import Node
from ledgerpress.graphql.scalars import described_enum
from ledgerpress.graphql.viewer_node_and_projection_queries import Viewer

__all__ = ["SCHEMA", "Actor", "ActorKindEnum", "actor_of", "load_actor", "sees_actor"]

ActorKindEnum = described_enum(
    ActorKind,
    name="ActorKind",
    description="The kind of an actor.",
    values={
        ActorKind.HUMAN: "A person.",
        ActorKind.TOKEN: "A program that uses an API token.",
        ActorKind.SYSTEM: "LedgerPress itself: its operator at the command line, or an import.",
    },
)


@strawberry.type(description="The author of changes: a person, an API token, or LedgerPress itself.")
class Actor(Node):
    """An actor, as registered as of the position of the response."""

    kind: ActorKindEnum | None = strawberry.field(  # type: ignore[valid-type]
        description="Null if the actor is not registered, or if the registration was withdrawn."
    )
    name: str | None = strawberry.field(
        description="Null if the actor is not registered, or if the registration was withdrawn."
    )


@strawberry.type
class ViewerFields:
    @strawberry.field(
        description="The actor under which the viewer's changes are recorded; null for anonymous clients."
    )
    @staticmethod
    def actor(info: RequestInfo) -> Actor | None:
        actor_id = info.context.identity.actor_id
        return actor_of(actor_id, info.context.today) if actor_id else None


def actor_of(actor_id: str, moment: PointInTime) -> Actor:
    """Return the actor with an id, registered or not."""
    record = actors_queries.actor(moment.snapshot, actor_id)
    return Actor(
        id=global_ids.id_of(moment, "Actor", actor_id),
        kind=ActorKind(record.kind) if record and record.kind else None,
        name=(record.name or None) if record else None,
    )


def load_actor(moment: PointInTime, actor_id: str) -> Actor | None:
    """Return a registered actor by id, if the viewer may look it up."""
    visible = sees_actor(moment.viewer, actor_id) and actors_queries.actor(moment.snapshot, actor_id)
    return actor_of(actor_id, moment) if visible else None


def sees_actor(viewer: Identity, actor_id: str) -> bool:
    """Return whether a viewer may look up an actor: any actor with `READ_HISTORY`, otherwise only their own."""
    own = viewer.may(READ_OWN_POSTS) and viewer.actor_id == actor_id
    return own or viewer.may(READ_HISTORY)


SCHEMA: Final = SchemaContribution(
    types=(Actor,),
    extends={Viewer: ViewerFields},
    permissions={"Viewer.actor": None},
    objects={"Actor": RequiredPermission(READ_HISTORY, own=READ_OWN_POSTS)},
    nodes={"Actor": load_actor},
)
