"""The site, and how far its read models have come."""

from enum import Enum

import strawberry

from ledgerpress.features.site import queries as site_queries
from ledgerpress.graphql.context import PointInTime
from ledgerpress.graphql.scalars import Position


@strawberry.type(description="The site that is being published.")
class Site:
    """The site that is being published."""

    moment: strawberry.Private[PointInTime]
    name: str | None
    version: int = strawberry.field(description="Raised with every change; for expectedVersion. 0 at first.")

    @strawberry.field(description="The position of the log as of which this is answered.")
    def position(self) -> Position:
        """Return the position, which every event moves."""
        self.moment.snapshot.depends_on_position()
        return Position(self.moment.snapshot.position)


def site_of(moment: PointInTime) -> Site:
    """Return the site as of a moment."""
    snapshot = moment.snapshot
    return Site(
        moment=moment, name=site_queries.site_name(snapshot), version=site_queries.site_version(snapshot)
    )


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
