"""Computes the topics that events invalidate, from the rules that features declare.

If the topics are not known for certain, everything is invalidated. This applies to an event type that no feature
declares, to events that a projection may have skipped, and to more than `MAX_EVENTS` events at once.
"""

from typing import Final

from ledgerpress.eventlog.kernel_events import CLOCK_CONFIRMATION, LEASE_TAKEN
from ledgerpress.views.feature_declarations import DeclaredViews
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot, Topic

MAX_EVENTS: Final = 250
"""The most events for which topics are computed, in about 25 milliseconds. More events invalidate everything."""

_KERNEL_EVENTS: Final = frozenset({LEASE_TAKEN, CLOCK_CONFIRMATION})
"""Events of the kernel that change no read model."""


def invalidated_topics(snapshot: Snapshot, after: int, declared: DeclaredViews) -> frozenset[Topic] | None:
    """Return the topics that the events after position `after` invalidate; `None` if they invalidate everything.

    The last of these events is at the position of the snapshot.
    """
    count = snapshot.position - after
    read_events, rules = declared.recent_events, declared.dependencies
    if read_events is None or not 0 <= count <= MAX_EVENTS:
        return None
    events = read_events(snapshot, after)
    if events is None or len(events) != count:
        return None
    known = _KERNEL_EVENTS.union(*(rule.events for rule in rules))
    if any(event.type not in known for event in events):
        return None
    invalidated = set[Topic]()
    for rule in rules:
        topics = rule.topics(snapshot, after, events)
        if topics is None:
            return None
        invalidated.update(topics)
    return frozenset(invalidated)
