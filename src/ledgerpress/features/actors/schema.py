"""Actors: who did it."""

import strawberry

from ledgerpress.features.actors import queries as actors_queries
from ledgerpress.features.actors.model import ActorKind
from ledgerpress.graphql.context import PointInTime
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.relay.node import Node

ActorKindEnum = strawberry.enum(ActorKind, name="ActorKind", description="What an actor is.")


@strawberry.type(description="Who did something: a person, an API token, or LedgerPress itself.")
class Actor(Node):
    """Who did something, as registered at the moment of the answer."""

    kind: ActorKindEnum | None = strawberry.field(  # type: ignore[valid-type]
        description="Null where the registration is not known, or was withdrawn."
    )
    name: str | None = strawberry.field(
        description="Null where the registration is not known, or was withdrawn."
    )


def actor_of(actor_id: str, moment: PointInTime) -> Actor:
    """Return the actor with that id, with what is known of them."""
    found = actors_queries.actor(moment.snapshot, actor_id)
    return Actor(
        id=global_ids.encode("Actor", actor_id),
        kind=ActorKind(found.kind) if found and found.kind else None,
        name=(found.name or None) if found else None,
    )
