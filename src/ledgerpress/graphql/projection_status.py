"""Projections: how far each has followed the log."""

from enum import Enum

import strawberry

from ledgerpress.graphql.context import RequestInfo
from ledgerpress.graphql.scalars import Position
from ledgerpress.views.projection import checkpoints
from ledgerpress.views.projection.lag import lags


@strawberry.enum(description="Whether a projection follows the log.")
class ProjectionState(Enum):
    """Whether a projection follows the log."""

    RUNNING = "RUNNING"
    PAUSED = strawberry.enum_value(
        "PAUSED", description="It failed at the event after its checkpoint, and waits."
    )


@strawberry.type(description="A digest of a projection's rows. Of one position it is the same in all views.")
class Digest:
    """A digest of a projection's rows."""

    position: Position = strawberry.field(description="The position as of which it was taken.")
    sha256: str = strawberry.field(description="SHA-256, in hex.")


@strawberry.type(description="A projection: what turns the log into one read model.")
class Projection:
    """A projection: what turns the log into one read model."""

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


async def projections_of(info: RequestInfo) -> list[Projection]:
    """Return the state of each projection."""
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
