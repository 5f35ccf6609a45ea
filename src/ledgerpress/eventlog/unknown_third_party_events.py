"""Events of third-party features that this process has not loaded: their replacement, and how to recognize them."""

from collections.abc import Callable, Collection
from typing import Final, TypeAlias

from ledgerpress.eventlog.event_and_withdrawn_event import Event

THIRD_PARTY: Final = "x."
"""The prefix of all event, stream and command names of third-party features."""


class UnknownEvent(Event, frozen=True):
    """The replacement for an event of a third-party feature that is not loaded. `type` is its stored type name.

    It has a stream version and a position, and the history shows it. It changes nothing else.
    """

    type: str


PassOver: TypeAlias = Callable[[str], bool]
"""Takes the stored name of an unknown event type; returns whether events of this type are ignored."""


def feature_of(name: str) -> str | None:
    """Return the third-party feature in the name of an event or stream: `factcheck` in `x.factcheck.checked`.

    Returns `None` for a name of LedgerPress itself.
    """
    if not name.startswith(THIRD_PARTY):
        return None
    return name.removeprefix(THIRD_PARTY).partition(".")[0]


def of_features_not_in(loaded: Collection[str]) -> PassOver:
    """Return a rule that ignores the events of third-party features that are not `loaded`.

    An event of unknown type of a loaded feature was written by a newer version of that feature. It pauses projections,
    like every other event of unknown type.
    """

    def passes_over(type: str) -> bool:
        feature = feature_of(type)
        return feature is not None and feature not in loaded

    return passes_over
