"""What a cached response depends on: topics, each of which certain events invalidate.

A query of the read models names its topics with `Snapshot.about`. A query that uses `Snapshot.db` depends on every
event: a topic that was forgotten makes a response expire too early, never too late. Features declare the topics that
events invalidate: see `ledgerpress.views.cache_invalidation`.
"""

from typing import Final, NamedTuple

FOREVER: Final = 2**63
"""A time after every clock's, in microseconds."""


class Topic(NamedTuple):
    """A subject of queries: what kind, and which. Changes of what is not public invalidate an `internal` topic, too."""

    kind: str
    key: int | str
    internal: bool = False


class CacheDependencies:
    """What one response depends on, noted while it is computed.

    The response is valid until an event invalidates one of `topics`; with `everything`, until the next event. It is
    valid for clocks from `since` up to, and not including, `until`. It is cached only if `cacheable`.
    """

    __slots__ = ("cacheable", "everything", "since", "topics", "until")

    def __init__(self) -> None:
        self.topics: set[Topic] = set()
        self.everything = False
        self.since = -FOREVER
        self.until = FOREVER
        self.cacheable = True

    @property
    def internal(self) -> bool:
        """Whether a change of what is not public may invalidate the response."""
        return any(topic.internal for topic in self.topics)

    def within(self, *, since: int = -FOREVER, until: int = FOREVER) -> None:
        """Note that the response is valid for clocks from `since` until before `until`, in microseconds since 1970, UTC."""
        self.since = max(self.since, since)
        self.until = min(self.until, until)

    def never_cache(self) -> None:
        """Note that the response must not be cached: it is for one client, or depends on what no topic covers."""
        self.cacheable = False
