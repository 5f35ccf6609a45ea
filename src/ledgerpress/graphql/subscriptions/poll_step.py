"""One step of a subscription: what comes next after a position, found and executed on one snapshot of the views.

A field of `Subscription` is an ordinary field whose resolver looks for the next event beyond `Step.after`. It either
says at which position it found one and returns its value, or raises `NothingYet`. So a subscription has no state but a
position, and everyone who has come as far as another goes on in the same way, in this process or in the next.
"""

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import NoReturn

from graphql import GraphQLError
from strawberry.types import Info

from ledgerpress.commands.identity import Identity
from ledgerpress.graphql.context import Context, PointInTime, Store
from ledgerpress.views import recorded_time
from ledgerpress.views.public_filter import PublicFilter


class Kind(Enum):
    """What an event is made of."""

    LOG = auto()
    """What was recorded: the event after a position is the same whenever it is asked for."""
    TODAY = auto()
    """What was recorded, as far as it is to be seen now."""
    STATE = auto()
    """The present state; an event is one that differs from what was told last."""


class NothingYet(Exception):
    """There is no event beyond the position asked for, up to that of the snapshot."""


class Finished(Exception):
    """There will be no further event."""


@dataclass(slots=True)
class Step:
    """What is looked for: with `after` of `None`, where to begin; else the first event beyond it."""

    after: int | None
    kind: Kind = Kind.STATE
    begins_at: int | None = None
    found: int | None = None
    finished: bool = False
    nothing: bool = False

    def begin(self, position: int | None) -> NoReturn:
        """Answer where to begin: after `position`, or from now on."""
        self.begins_at = position
        self.none_yet()

    def none_yet(self) -> NoReturn:
        """Answer that there is no event yet."""
        self.nothing = True
        raise NothingYet

    def finish(self) -> NoReturn:
        """Answer that there will be none any more."""
        self.finished = True
        raise Finished


class SubscriptionContext(Context):
    """The context of one step."""

    def __init__(self, store: Store, identity: Identity, step: Step, *, open_past: bool) -> None:
        super().__init__(store, identity, open_past=open_past)
        self.step = step


SubscriptionInfo = Info[Context, None]


def step_of(context: Context, kind: Kind) -> Step:
    """Return the step that is being executed. Raises a GraphQL error where somebody asks once, and not to be told."""
    if not isinstance(context, SubscriptionContext):
        raise GraphQLError(
            "A subscription takes a connection that stays open: a WebSocket (graphql-transport-ws), or a request that"
            " accepts text/event-stream.",
            extensions={"code": "SUBSCRIPTION_NOT_SUPPORTED"},
        )
    context.step.kind = kind
    return context.step


def moment_of_event(context: Context, position: int, only: PublicFilter | None = None) -> PointInTime:
    """Return the moment of an event: the message about it is the same whenever it is sent."""
    today = context.today
    snapshot = replace(today.snapshot, position=position, only=only)
    return replace(today, snapshot=snapshot, time=recorded_time.time_of(snapshot) or today.now, reads=None)
