"""Any answer as of any past moment: a position of the log, or a time."""

from dataclasses import replace

import strawberry

from ledgerpress.application.access import Permission
from ledgerpress.graphql.context import Context, Moment
from ledgerpress.graphql.errors import BadRequest
from ledgerpress.graphql.permission import Refused, articles_shown_of_the_past
from ledgerpress.graphql.scalars import DateTime, Position, iso_time
from ledgerpress.readmodels import moments


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


def moment_of(context: Context, as_of: AsOf | None) -> Moment:
    """Return the moment that an argument names, or today's, as the caller may see it.

    Raises `BadRequest` for one in the future, and `Refused`.
    """
    moment = _named(context, as_of)
    if not _is_past(context, moment):
        return moment
    return replace(moment, snapshot=replace(moment.snapshot, only=articles_shown_of_the_past(context)))


def moment_of_posts(context: Context, as_of: AsOf | None) -> Moment:
    """Return the same for an answer about posts.

    Their past is part of the history, open to everyone or not. Who may see that of their own posts alone sees no
    other of that moment, and of categories, authors and their articles what they see today.
    """
    moment = _named(context, as_of)
    if context.sight.history or not _is_past(context, moment):
        return moment
    if context.sight.own is None:
        raise Refused(context.identity, Permission.READ_HISTORY)
    own = replace(context.sight, every_post=False)
    if not context.open_past:
        return replace(moment, sight=own, others=context.today)
    return replace(moment, sight=own, snapshot=replace(moment.snapshot, only=context.public_today))


def _is_past(context: Context, moment: Moment) -> bool:
    return moment.snapshot.position != context.today.snapshot.position


def _named(context: Context, as_of: AsOf | None) -> Moment:
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
        position, now = moments.position_at(today.snapshot, as_of.time), int(as_of.time)
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
        now = moments.time_of(snapshot)
    if now is None:
        return replace(today, snapshot=snapshot)
    return replace(today, snapshot=snapshot, instant=now, reads=None)


def describe(moment: Moment) -> MomentType:
    """Return a moment as a client sees it."""
    time = moments.time_of(moment.snapshot)
    moment.snapshot.depends_on_position()
    return MomentType(
        position=Position(moment.snapshot.position), time=None if time is None else DateTime(time)
    )
