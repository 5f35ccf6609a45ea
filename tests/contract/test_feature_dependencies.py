"""A feature declares which topics its events invalidate in the cache; unknown events invalidate everything."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.features.posts.article_queries import article_topic
from ledgerpress.features.posts.model import PostPublished, PostUnpublished
from ledgerpress.features.posts.post_queries import post_topic
from ledgerpress.features.registry import declared_views
from ledgerpress.views.cache_invalidation import MAX_EVENTS, invalidated_topics
from ledgerpress.views.feature_declarations import DeclaredViews
from ledgerpress.views.files.tables import create_tables
from ledgerpress.views.listings.queries import listing_topic
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot, Topic
from tests.apply_projector import apply_all
from tests.contract.tagged_posts import TaggedPosts, tagged_posts
from tests.contract.tags_feature import TAGS, Tagged, tag_topic

INITIAL_EVENTS = 60


class Views:
    """Views that have applied random events and can apply more."""

    def __init__(self, db: sqlite3.Connection, posts: TaggedPosts) -> None:
        self.posts = posts
        self._db = db
        self._declared = declared_views(TAGS)
        create_tables(db, self._declared.projectors)
        self._apply(posts.events)

    def invalidated(
        self, *events: tuple[Event, str], declared: DeclaredViews | None = None
    ) -> frozenset[Topic] | None:
        after = len(self.posts.events)
        for event, post_id in events:
            self.posts.record(event, post_id)
        self._apply(self.posts.events[after:])
        snapshot = Snapshot(self._db, len(self.posts.events))
        return invalidated_topics(snapshot, after, declared or self._declared)

    def _apply(self, events: list[Recorded[Event]]) -> None:
        for projector in self._declared.projectors:
            apply_all(projector, events, self._db)


@pytest.fixture
def views() -> Iterator[Views]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        yield Views(db, tagged_posts(INITIAL_EVENTS))


def published(post_id: str) -> PostPublished:
    return PostPublished(post_id=post_id, revision=1, published_at=7, correction=None)


def test_events_of_a_feature_invalidate_its_topics(views: Views) -> None:
    views.invalidated((PostUnpublished(post_id="post1"), "post1"))
    topics = views.invalidated((Tagged(post_id="post1", tag="new"), "post1"))
    assert topics is not None
    # The event is in the stream of the post, so it also gives the post a new version.
    assert {topic for topic in topics if topic.kind != "post"} == {tag_topic("new")}
    assert post_topic("post1") in topics


def test_events_of_a_required_feature_invalidate_topics_of_both_features(views: Views) -> None:
    views.invalidated(
        (Tagged(post_id="post1", tag="new"), "post1"), (PostUnpublished(post_id="post1"), "post1")
    )
    k = len(views.posts.events) - 1
    topics = views.invalidated((published("post1"), "post1"))
    assert topics is not None
    assert {listing_topic(k), post_topic("post1"), article_topic("post1"), listing_topic(0)} <= topics
    assert not {topic for topic in topics if topic.kind == "x_tags"}


def test_an_event_that_no_feature_knows_invalidates_everything(views: Views) -> None:
    event = (Tagged(post_id="post1", tag="new"), "post1")
    assert views.invalidated(event, declared=declared_views()) is None
    assert views.invalidated((published("post1"), "post1"), declared=declared_views()) is not None
    assert views.invalidated((published("post1"), "post1"), declared=DeclaredViews()) is None


def test_too_many_events_invalidate_everything(views: Views) -> None:
    assert views.invalidated(*[(published("post1"), "post1")] * MAX_EVENTS) is not None
    assert views.invalidated(*[(published("post1"), "post1")] * (MAX_EVENTS + 1)) is None
