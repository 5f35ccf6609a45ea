"""Responses as of a past moment: a position of the log, or a time."""

from dataclasses import replace

import strawberry

from ledgerpress.commands.roles_and_permissions import READ_HISTORY
from ledgerpress.graphql.access_control import AccessDenied
from ledgerpress.graphql.context import Context, PointInTime
from ledgerpress.graphql.errors import BadRequest
from ledgerpress.graphql.scalars import DateTime, Position, iso_time
from ledgerpress.views import recorded_time_positions as recorded_time


@strawberry.input(
    one_of=True,
    description="A past moment. The whole result is as of this moment, including names, slugs and categories.",
)
class AsOf:
    position: Position | None = strawberry.field(
        default=strawberry.UNSET, description="A position of the log."
    )
    time: DateTime | None = strawberry.field(
        default=strawberry.UNSET,
        description="A time. The result is as of the last event recorded by then.",
    )


@strawberry.type(name="Moment", description="A moment of the log.")
class MomentType:
    position: Position = strawberry.field(
        description="The position, which identifies this moment permanently. Store it if you need the moment again."
    )
    time: DateTime | None = strawberry.field(
        description="The latest recorded time of the events up to the position; null before the first event."
    )


def moment_of(context: Context, as_of: AsOf | None) -> PointInTime:
    """Return the moment that `as_of` names, or the current moment, as the viewer may see it.

    Without `history:read`, a past moment shows only what is public today, and only if the past is open; otherwise
    raises `AccessDenied`. Raises `BadRequest` for a moment in the future.
    """
    moment = named_moment(context, as_of)
    if not is_past(context, moment) or context.identity.may(READ_HISTORY):
        return moment
    if not context.open_past:
        raise AccessDenied(context.identity, READ_HISTORY)
    return replace(moment, snapshot=replace(moment.snapshot, only=context.public_today))


def is_past(context: Context, moment: PointInTime) -> bool:
    """Return whether a moment differs from the current one."""
    return moment.snapshot.position != context.today.snapshot.position


def named_moment(context: Context, as_of: AsOf | None) -> PointInTime:
    """Return the moment that `as_of` names, or the current moment, without an access check.

    Raises `BadRequest` for a moment in the future.
    """
    today = context.today
    if as_of is None:
        return today
    today = replace(today, has_dated_ids=True)
    if as_of.position:
        position, now = int(as_of.position), None
        if position > today.snapshot.position:
            today.snapshot.depends_on_position()
            raise BadRequest(
                f"Position {position} is in the future: the store is at {today.snapshot.position}."
            )
    elif as_of.time:
        position, now = recorded_time.position_at(today.snapshot, as_of.time), int(as_of.time)
        if now > today.time:
            context.reads.within(until=now)
            raise BadRequest(f"{iso_time(now)} is in the future.")
        context.reads.within(since=now)
    else:
        position, now = 0, None
    snapshot = today.snapshot
    if position == snapshot.position:
        snapshot.depends_on_position()
    else:
        snapshot = snapshot.at(position)
    if now is None:
        now = recorded_time.time_of(snapshot)
    if now is None:
        return replace(today, snapshot=snapshot)
    return replace(today, snapshot=snapshot, time=now, reads=None)


def describe(moment: PointInTime) -> MomentType:
    """Return a moment as a GraphQL object."""
    time = recorded_time.time_of(moment.snapshot)
    moment.snapshot.depends_on_position()
    return MomentType(
        position=Position(moment.snapshot.position), time=None if time is None else DateTime(time)
    )
