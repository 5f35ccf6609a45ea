"""Listings that a feature contributes: at every position, after a rebuild, and without articles hidden today."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.features.registry import all_projectors, declared_views
from ledgerpress.views.files.tables import ViewsDamaged, check_tables, create_tables
from ledgerpress.views.files.views_directory import digest_of
from ledgerpress.views.filter_past_items_public_today import PublicFilter
from ledgerpress.views.listings.projector import ListingContribution, ListingsProjector, ListingWriter
from ledgerpress.views.listings.queries import count, list_keys
from ledgerpress.views.projection.projector_interface_and_composition import ImmediateProjector
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot
from tests.apply_projector import apply_all
from tests.contract.tagged_posts import TAGS, tagged_posts
from tests.contract.tags_feature import TAGS as FEATURE
from tests.property.view_rows import rows_in

EVENTS = 300


@contextmanager
def views(events: list[Recorded[Event]], batch: int) -> Iterator[sqlite3.Connection]:
    projectors = declared_views(FEATURE).projectors
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        create_tables(db, projectors)
        for start in range(0, len(events), batch):
            for projector in projectors:
                apply_all(projector, events[start : start + batch], db)
        yield db


def test_the_listing_and_the_count_of_a_tag_at_every_position() -> None:
    posts = tagged_posts(EVENTS)
    with views(posts.events, 1) as db:
        for position, articles in enumerate(posts.articles):
            for tag in TAGS:
                k = posts.first_tagged[tag]
                keys = list_keys(db, [k], position, limit=100)
                assert [(key.published_at, key.post) for key in keys] == articles[tag]
                assert count(db, k, position) == len(articles[tag])


def test_a_rebuild_gives_the_same_rows_as_applying_each_event() -> None:
    events = tagged_posts(EVENTS).events
    with views(events, 1) as one_by_one, views(events, EVENTS) as rebuilt, views(events, 7) as in_batches:
        assert rows_in(rebuilt) == rows_in(one_by_one) == rows_in(in_batches)


def test_counts_of_the_past_exclude_articles_that_are_hidden_today() -> None:
    posts = tagged_posts(EVENTS)
    hidden = 0
    with views(posts.events, EVENTS) as db:
        public = PublicFilter(Snapshot(db, EVENTS), declared_views(FEATURE))
        all_posts = {row[0] for row in db.execute("SELECT seq FROM post")}
        public_today = public.among(all_posts)
        assert public_today
        assert public_today != all_posts
        for position, articles in enumerate(posts.articles):
            for tag in TAGS:
                expected = sum(seq not in public_today for _, seq in articles[tag])
                assert public.count_hidden([posts.first_tagged[tag]], position) == expected
                hidden += expected
    assert hidden


def test_a_contribution_changes_the_digest_of_views_and_needs_its_own_table() -> None:
    first_party, with_tags = all_projectors(), declared_views(FEATURE).projectors
    assert digest_of(with_tags) != digest_of(first_party)
    assert {projector.name: projector.version for projector in with_tags} == {
        projector.name: projector.version for projector in first_party
    }
    with closing(sqlite3.connect(":memory:")) as db:
        create_tables(db, first_party)
        with pytest.raises(ViewsDamaged):
            check_tables(db, with_tags)
    newer = ListingContribution(
        name="tags", version=2, schema="CREATE TABLE x_t (k INTEGER);", begin=lambda _: ListingWriter()
    )
    assert ListingsProjector([newer]).version == 2

    def digest(tags: int, series: int) -> str:
        """Return the digest of projectors with two contributions of these versions."""
        versions = {"tags": tags, "series": series}
        return digest_of([
            ListingsProjector([
                replace(newer, name=name, version=version, schema=f"CREATE TABLE x_{name} (k INTEGER);")
                for name, version in versions.items()
            ])
        ])  # fmt: skip

    assert len({digest(1, 1), digest(1, 2), digest(2, 1), digest(2, 2)}) == 4
    with pytest.raises(ValueError, match="without a table of their own: bare"):
        ListingsProjector([ListingContribution(name="bare", schema="", begin=lambda _: ListingWriter())])


def test_a_comment_after_the_last_table_does_not_hide_the_next_contribution() -> None:
    first, second = (
        ListingContribution(
            name=name,
            schema=f"CREATE TABLE x_{name} (k INTEGER); -- {name}",
            begin=lambda _: ListingWriter(),
        )
        for name in ("tags", "series")
    )
    with closing(sqlite3.connect(":memory:")) as db:
        create_tables(db, [ListingsProjector([first, second])])
        created = {name for (name,) in db.execute("SELECT name FROM sqlite_schema")}
    assert created >= {"x_tags", "x_series"}
    assert (
        len(
            {
                digest_of([ListingsProjector(contributions)])
                for contributions in ([first], [second], [first, second])
            }
        )
        == 3
    )


def test_a_comment_after_the_last_table_does_not_hide_an_index() -> None:
    def projector(indexes: str) -> ImmediateProjector:
        return ImmediateProjector(
            name="x.tags",
            version=1,
            schema="CREATE TABLE x_tags (k INTEGER); -- tags",
            indexes=indexes,
            events=frozenset(),
            apply=lambda _, __: None,
        )

    assert digest_of([projector("")]) != digest_of([projector("CREATE INDEX x_tags_k ON x_tags (k);")])
