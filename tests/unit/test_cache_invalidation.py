"""Every type of event invalidates known topics, or everything."""

from ledgerpress.features.registry import EVENT_TYPES, declared_views
from ledgerpress.views import cache_invalidation

EVERYTHING = {"log.opened", "payload.withdrawn", "projection.skipped", "clock.corrected"}
"""Event types that invalidate everything, because they are rare or change very much."""


def test_every_event_type_has_a_dependency_rule_or_invalidates_everything() -> None:
    kinds = {name for name, *_ in EVENT_TYPES}
    rules = declared_views().dependencies
    known = cache_invalidation._KERNEL_EVENTS.union(*(rule.events for rule in rules))
    assert kinds >= known
    assert kinds - known == EVERYTHING
