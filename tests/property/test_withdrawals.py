"""After any withdrawals, no projection pauses, no text is left, and views and deciders agree."""

import asyncio
import logging
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from dataclasses import astuple
from functools import reduce
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.features.authors import model as authors
from ledgerpress.features.authors import projector_and_queries as authors_queries
from ledgerpress.features.categories import queries as categories
from ledgerpress.features.categories.model import Taxonomy
from ledgerpress.features.categories.model import evolve as evolve_taxonomy
from ledgerpress.features.posts import article_queries, post_queries
from ledgerpress.features.posts import model as posts
from ledgerpress.features.posts import post_queries as post_views
from ledgerpress.features.posts.corrections import queries as corrections
from ledgerpress.features.posts.corrections.model import CorrectedPost
from ledgerpress.features.posts.listings_projection import EVERY_ARTICLE
from ledgerpress.features.posts.model import PostStatus
from ledgerpress.features.registry import event_codec
from ledgerpress.views.listings.queries import list_keys
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot
from tests.property.altered_logs import ReadOnlyLog
from tests.property.day_scenario import WHOLE_DAY
from tests.property.store_session import Session
from tests.property.test_views import EXAMPLES
from tests.property.view_rows import rebuilt, rows_of

WRITTEN: Final = (
    "Ada Brook",
    "Tide",
    "tide",
    "One line.",
    "desk",
    "रात",
    "What is new",
    "Town",
    "town",
    "operator",
    "They were weirs.",
)
"""Texts that users wrote on the whole day: after all withdrawals, none of them is left."""


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Hide the log lines about the faults of the whole day."""
    caplog.set_level(logging.CRITICAL, "ledgerpress.views.projection")


async def whole_day(data: Path) -> list[StoredEvent]:
    """Return the events of the scenario of a day."""
    async with Session(data) as session:
        await session.begin()
        for action in WHOLE_DAY:
            await session.do(action)
        return await session.store.log.read(0, 10_000)


def test_views_and_deciders_agree_after_any_withdrawals(tmp_path: Path) -> None:
    log = asyncio.run(whole_day(tmp_path / "data"))
    everything = set(range(1, len(log) + 1))

    @settings(max_examples=EXAMPLES // 2, deadline=None, print_blob=True)
    @example(set())
    @example(everything)
    @given(st.sets(st.sampled_from(sorted(everything))))
    def holds(positions: set[int]) -> None:
        altered = [replace(event, payload=None) if event.position in positions else event for event in log]
        with TemporaryDirectory() as folder:
            asyncio.run(_agree(altered, Path(folder)))
            rows = asyncio.run(
                rebuilt(ReadOnlyLog(altered), Path(folder) / "one-by-one.sqlite", batch_size=1)
            )
            assert rows == rows_of(Path(folder) / "views.sqlite")

    holds()


def test_every_single_event_can_be_withdrawn(tmp_path: Path) -> None:
    log = asyncio.run(whole_day(tmp_path / "data"))
    for withdrawn in log:
        altered = [replace(event, payload=None) if event is withdrawn else event for event in log]
        with TemporaryDirectory() as folder:
            asyncio.run(_agree(altered, Path(folder)))


def test_no_text_is_left_in_the_views_if_everything_is_withdrawn(tmp_path: Path) -> None:
    log = asyncio.run(whole_day(tmp_path / "data"))
    before = asyncio.run(rebuilt(ReadOnlyLog(log), tmp_path / "before.sqlite", batch_size=100))
    altered = [replace(event, payload=None) for event in log]
    after = asyncio.run(rebuilt(ReadOnlyLog(altered), tmp_path / "after.sqlite", batch_size=100))
    for text in WRITTEN:
        assert text in repr(before)
        assert text not in repr(after)


async def _agree(altered: Sequence[StoredEvent], folder: Path) -> None:
    path = folder / "views.sqlite"
    await rebuilt(ReadOnlyLog(altered), path, batch_size=500)
    streams: dict[str, list[Any]] = defaultdict(list)
    for recorded in event_codec().decode_all(altered):
        streams[recorded.header.stream].append(recorded.event)
    taxonomy = reduce(evolve_taxonomy, streams.pop("taxonomy"), Taxonomy())
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT DISTINCT position, error FROM projection").fetchall() == [
            (len(altered), None)
        ]
        snapshot = Snapshot(db, len(altered))
        published = []
        for stream, events in streams.items():
            if stream.startswith("post."):
                post = reduce(posts.evolve, events, None)
                assert post
                _assert_post(snapshot, post, len(events), taxonomy)
                _assert_corrections(snapshot, CorrectedPost().after(events))
                published += [post.id] if post.lifecycle.status is PostStatus.PUBLISHED else []
            elif stream.startswith("author."):
                author = reduce(authors.evolve, events, None)
                assert author
                shown = authors_queries.author(snapshot, author.id)
                assert shown
                assert shown.name == author.name
                assert author.slug in (None, shown.slug)
        keys = list_keys(db, [EVERY_ARTICLE], snapshot.position, limit=1_000)
        assert {article_queries.by_seq(snapshot, key.post).id for key in keys} == set(published)  # type: ignore[union-attr]
        assert article_queries.count_articles(snapshot) == len(published)
        _assert_tree(snapshot, taxonomy)


def _assert_post(snapshot: Snapshot, post: posts.Post, version: int, taxonomy: Taxonomy) -> None:
    shown, article = post_views.by_id(snapshot, post.id), article_queries.by_id(snapshot, post.id)
    assert shown
    content = post.content
    assert (shown.version, shown.status) == (version, post.lifecycle.status)
    assert shown.has_unpublished_changes == post.lifecycle.has_unpublished_changes
    assert (shown.slug, shown.title, shown.teaser) == (content.slug, content.title, content.teaser)
    assert (shown.author_ids, post_queries.markdown(snapshot, shown.body)) == (
        content.author_ids,
        content.body,
    )
    resolved = {
        category.id for category_id in post.category_ids if (category := taxonomy.resolve(category_id))
    }
    assert {category.id for category in post_views.categories_of(snapshot, shown.seq)} == resolved
    assert (article is not None) == (post.lifecycle.status is PostStatus.PUBLISHED)
    if article:
        assert article.published_at == post.lifecycle.published_at


def _assert_corrections(snapshot: Snapshot, state: CorrectedPost) -> None:
    assert state.post
    shown = corrections.of_post(snapshot, state.post.id)
    assert [
        (row.id, row.revision, row.kind, row.note, row.passage, row.retracted_at is not None) for row in shown
    ] == [astuple(correction) for correction in state.corrections.values()]


def _assert_tree(snapshot: Snapshot, taxonomy: Taxonomy) -> None:
    rows = categories.categories_after(snapshot, 0, 1_000)
    assert {row.id for row in rows} == set(taxonomy.categories)
    for shown in rows:
        category = taxonomy.categories[shown.id]
        assert (shown.slug, shown.name, shown.version) == (category.slug, category.name, category.version)
        assert shown.description == category.description
        parent = categories.by_seq(snapshot, shown.parent)
        assert (parent.id if parent else None) == (
            category.parent_id if category.parent_id in taxonomy.categories else None
        )
        assert shown not in categories.ancestors(snapshot, shown) or taxonomy.is_within(
            category.parent_id, category.id
        )
        for descend in (False, True):
            ks = categories.listing_keys(snapshot, shown, descend=descend)
            listed = list_keys(snapshot.db, ks, snapshot.position, limit=1_000)
            assert categories.count_articles(snapshot, shown, descend=descend) == len(listed)
