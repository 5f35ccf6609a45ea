"""Every type of event invalidates known topics, or everything."""

from ledgerpress.features.registry import EVENT_TYPES, declared_views
from ledgerpress.views import cache_invalidation

EVERYTHING = {"log.opened", "payload.withdrawn", "projection.skipped"}
"""Events so rare, or that change so much, that they invalidate everything."""


def test_a_new_kind_of_event_touches_everything_until_somebody_has_thought_about_it() -> None:
    kinds = {name for name, *_ in EVENT_TYPES}
    rules = declared_views().dependencies
    known = cache_invalidation._KERNEL_EVENTS.union(*(rule.events for rule in rules))
    assert kinds >= known
    assert kinds - known == EVERYTHING
