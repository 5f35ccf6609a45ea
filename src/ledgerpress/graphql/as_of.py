"""Any answer as of any past moment: a position of the log, or a time."""

from dataclasses import replace

import strawberry

from ledgerpress.commands.identity import Permission
from ledgerpress.graphql.access.past_access import AccessDenied, past_article_filter
from ledgerpress.graphql.context import Context, PointInTime
from ledgerpress.graphql.errors import BadRequest
from ledgerpress.graphql.scalars import DateTime, Position, iso_time
from ledgerpress.views import recorded_time


@strawberry.input(
    one_of=True,
    description="A past moment. The whole answer is of that one moment, categories' names, tree and slugs included.",
)
class AsOf:
    """A past moment."""

    position: Position | None = strawberry.field(
        default=strawberry.UNSET, description="A position of the log."
    )
    time: DateTime | None = strawberry.field(
        default=strawberry.UNSET,
        description="A time: what the store would have answered then, by the recorded times of events.",
    )


@strawberry.type(name="Moment", description="A moment of the log.")
class MomentType:
    """A moment of the log."""

    position: Position = strawberry.field(
        description="What a client should keep: it names this moment for ever."
    )
    time: DateTime | None = strawberry.field(
        description="The greatest recorded-at up to the position; null before the first event."
    )


def moment_of(context: Context, as_of: AsOf | None) -> PointInTime:
    """Return the moment that an argument names, or today's, as the caller may see it.

    Raises `BadRequest` for one in the future, and `AccessDenied`.
    """
    moment = _named(context, as_of)
    if not _is_past(context, moment):
        return moment
    return replace(moment, snapshot=replace(moment.snapshot, only=past_article_filter(context)))


def moment_of_posts(context: Context, as_of: AsOf | None) -> PointInTime:
    """Return the same for an answer about posts.

    Their past is part of the history, open to everyone or not. Who may see that of their own posts alone sees no
    other of that moment, and of categories, authors and their articles what they see today.
    """
    moment = _named(context, as_of)
    if context.sight.history or not _is_past(context, moment):
        return moment
    if context.sight.own is None:
        raise AccessDenied(context.identity, Permission.READ_HISTORY)
    own = replace(context.sight, every_post=False)
    if not context.open_past:
        return replace(moment, sight=own, others=context.today)
    return replace(moment, sight=own, snapshot=replace(moment.snapshot, only=context.public_today))


def _is_past(context: Context, moment: PointInTime) -> bool:
    return moment.snapshot.position != context.today.snapshot.position


def _named(context: Context, as_of: AsOf | None) -> PointInTime:
    """Return the moment that an argument names, with all that it holds. Raises `BadRequest`."""
    today = context.today
    if as_of is None:
        return today
    if as_of.position:
        position, now = int(as_of.position), None
        if position > today.snapshot.position:
            today.snapshot.depends_on_position()
            raise BadRequest(
                f"Position {position} lies in the future: the store is at {today.snapshot.position}."
            )
    elif as_of.time:
        position, now = recorded_time.position_at(today.snapshot, as_of.time), int(as_of.time)
        if now > today.instant:
            context.reads.within(until=now)
            raise BadRequest(f"{iso_time(now)} lies in the future.")
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
    return replace(today, snapshot=snapshot, instant=now, reads=None)


def describe(moment: PointInTime) -> MomentType:
    """Return a moment as a client sees it."""
    time = recorded_time.time_of(moment.snapshot)
    moment.snapshot.depends_on_position()
    return MomentType(
        position=Position(moment.snapshot.position), time=None if time is None else DateTime(time)
    )
