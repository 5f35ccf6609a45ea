"""Every kind of event touches something known, or everything."""

from ledgerpress.features.registry import EVENT_TYPES
from ledgerpress.views import cache_invalidation

EVERYTHING = {"log.opened", "payload.withdrawn", "projection.skipped"}
"""Events so rare, or with so much to them, that they touch everything."""


def test_a_new_kind_of_event_touches_everything_until_somebody_has_thought_about_it() -> None:
    kinds = {name for name, _, _ in EVENT_TYPES}
    assert kinds >= cache_invalidation._POST | cache_invalidation._TOPICS.keys()
    assert kinds - cache_invalidation._POST - cache_invalidation._TOPICS.keys() == EVERYTHING
