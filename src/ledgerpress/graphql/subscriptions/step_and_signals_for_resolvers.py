"""One step of a subscription: the next event after a position, executed on one snapshot of the views.

A field of `Subscription` is an ordinary field. Its resolver searches for the next event after `Step.after`. It either
sets the position of that event and returns the value of the field, or raises `NothingYet`. So the position is the only
state of a subscription, and subscribers at the same position continue in the same way, in any process.
"""

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import NoReturn

from graphql import GraphQLError
from strawberry.types import Info

from ledgerpress.commands.client_identity import Identity
from ledgerpress.graphql.context import Context, PointInTime, Store
from ledgerpress.views import recorded_time_positions as recorded_time
from ledgerpress.views.filter_past_items_public_today import PublicFilter


class Kind(Enum):
    """The kind of events of a subscription."""

    LOG = auto()
    """Recorded events: the event after a position is always the same."""
    TODAY = auto()
    """Recorded events that are visible now."""
    STATE = auto()
    """The current state. An event is a state that differs from the last state that was sent."""


class NothingYet(Exception):
    """There is no event between the position of the step and the position of the snapshot."""


class Finished(Exception):
    """There will be no further event."""


@dataclass(slots=True)
class Step:
    """A step. It finds the first event after the position `after`; if `after` is `None`, it finds where to begin."""

    after: int | None
    kind: Kind = Kind.STATE
    begins_at: int | None = None
    position: int | None = None
    finished: bool = False
    nothing: bool = False

    def begin(self, position: int | None) -> NoReturn:
        """Begin after `position`, or if it is `None`, after the current position."""
        self.begins_at = position
        self.none_yet()

    def none_yet(self) -> NoReturn:
        """Report that there is no event yet."""
        self.nothing = True
        raise NothingYet

    def finish(self) -> NoReturn:
        """Report that there will be no further event."""
        self.finished = True
        raise Finished


class SubscriptionContext(Context):
    def __init__(self, store: Store, identity: Identity, step: Step, *, open_past: bool) -> None:
        super().__init__(store, identity, open_past=open_past)
        self.step = step


SubscriptionInfo = Info[Context, None]


def step_of(context: Context, kind: Kind) -> Step:
    """Return the step that is being executed. Raises `GraphQLError` outside of a subscription."""
    if not isinstance(context, SubscriptionContext):
        raise GraphQLError(
            "A subscription needs a connection that stays open. Use a WebSocket (graphql-transport-ws), or a"
            " request that accepts text/event-stream.",
            extensions={"code": "SUBSCRIPTION_NOT_SUPPORTED"},
        )
    context.step.kind = kind
    return context.step


def moment_of_event(context: Context, position: int, only: PublicFilter | None = None) -> PointInTime:
    """Return the moment of an event. The message for an event is the same whenever it is sent."""
    today = context.today
    snapshot = replace(today.snapshot, position=position, only=only)
    return replace(today, snapshot=snapshot, time=recorded_time.time_of(snapshot) or today.now, reads=None)
