"""Events of third-party features that this process has not loaded: what stands for them, and how they are recognized."""

from collections.abc import Callable, Collection
from typing import Final, TypeAlias

from ledgerpress.eventlog.event_and_withdrawn_event import Event

THIRD_PARTY: Final = "x."
"""The beginning of the names of events, streams and commands of every third-party feature."""


class UnknownEvent(Event, frozen=True):
    """Stands for an event of a third-party feature that is not loaded. `type` is its stored name.

    It counts as a version of its stream and has its place in the log and in the history; it changes nothing else.
    """

    type: str


PassOver: TypeAlias = Callable[[str], bool]
"""Takes the stored name of an unknown type. Returns whether its events are passed over."""


def feature_of(name: str) -> str | None:
    """Return the third-party feature that an event or a stream is named after: `factcheck` in `x.factcheck.checked`.

    Returns `None` for a name of LedgerPress itself.
    """
    if not name.startswith(THIRD_PARTY):
        return None
    return name.removeprefix(THIRD_PARTY).partition(".")[0]


def of_features_not_in(loaded: Collection[str]) -> PassOver:
    """Return a rule that passes over the events of third-party features, apart from those that are `loaded`.

    An unknown type of a loaded feature was written by a newer version of it. It pauses projections, like every other
    unknown type.
    """

    def passes_over(type: str) -> bool:
        feature = feature_of(type)
        return feature is not None and feature not in loaded

    return passes_over
