"""The demo newsroom, loaded into a real store with ordinary commands and a clock that follows its story."""

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from ledgerpress.eventlog.clock_randomness_ids import Randomness, SystemClock
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.features.actors.model import FIRST_EVENT_COUNT
from ledgerpress.features.authors import projector_and_queries as authors_queries
from ledgerpress.features.categories import queries as categories
from ledgerpress.features.categories.commands import CreateCategory
from ledgerpress.features.demo.load import DEMO_WEEKS, DemoClock, StoreNotEmpty, load_demo
from ledgerpress.features.demo.story import STORY
from ledgerpress.features.demo.texts import text
from ledgerpress.features.posts import article_queries, post_queries
from ledgerpress.features.posts.body.html_rendering_and_sections import render
from ledgerpress.features.posts.corrections import queries as correction_queries
from ledgerpress.features.posts.model import PostStatus
from ledgerpress.features.site import projector_and_queries as site_queries
from ledgerpress.features.site_pages import queries as site_pages
from ledgerpress.features.site_pages.menu_targets import resolved_items
from ledgerpress.server.store import Store, open_store
from ledgerpress.views.listings import queries as listings
from ledgerpress.views.paging import PageRequest, page_of

MICROSECOND: Final = timedelta(microseconds=1)
LENGTH: Final = timedelta(weeks=DEMO_WEEKS) // MICROSECOND
MINUTE: Final = timedelta(minutes=1) // MICROSECOND


class FixedRandomness:
    """A source of bytes that look random and are the same in every run."""

    def __init__(self) -> None:
        self._calls = 0

    def bytes(self, count: int) -> bytes:
        self._calls += 1
        return hashlib.shake_128(str(self._calls).encode()).digest(count)


@asynccontextmanager
async def demo_store(
    data: Path,
    *,
    now: int,
    randomness: Randomness | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> AsyncIterator[Store]:
    clock = DemoClock(now - LENGTH)
    async with open_store(data, clock=clock, randomness=randomness) as store:
        await load_demo(store.commands, clock, progress=progress)
        yield store


@pytest.fixture(scope="module")
def now() -> int:
    return SystemClock().now()


@pytest.fixture
async def store(tmp_path: Path, now: int) -> AsyncIterator[Store]:
    async with demo_store(tmp_path / "demo", now=now) as demo:
        yield demo


async def every_event(store: Store) -> list[StoredEvent]:
    return await store.log.read(0, 10_000)


async def test_every_step_of_the_story_records_events_in_order(tmp_path: Path, now: int) -> None:
    progress: list[tuple[int, int]] = []
    async with demo_store(
        tmp_path / "demo", now=now, progress=lambda *counts: progress.append(counts)
    ) as store:
        events = await every_event(store)
    assert progress == [(number, len(STORY)) for number in range(1, len(STORY) + 1)]
    commands = list(dict.fromkeys(event.header.command_id for event in events))
    assert len(commands) == 1 + len(STORY)  # the first command opened the log
    assert all(earlier.after < later.after for earlier, later in pairwise(STORY))


async def test_three_weeks_pass_and_end_minutes_ago(store: Store, now: int) -> None:
    times = [event.header.recorded_at for event in await every_event(store)]
    assert times == sorted(times)
    assert times[0] == now - LENGTH
    assert 0 < now - times[-1] < 30 * MINUTE
    with store.snapshot() as snapshot:
        keys = listings.list_keys(snapshot.db, [0], snapshot.position, limit=100)
    assert keys[0].published_at <= now
    assert keys[-1].published_at < now - 2 * LENGTH  # one post has the date of an older newspaper


async def test_posts_of_every_status_and_real_histories(store: Store) -> None:
    with store.snapshot() as snapshot:
        counts = {status: post_queries.count_posts(snapshot, status) for status in PostStatus}
        assert min(counts.values()) > 0
        assert counts[PostStatus.DRAFT] >= 2
        assert sum(counts.values()) >= 14
        keys = page_of(snapshot, post_queries.listing_keys(None), PageRequest(first=100)).entries
        all_posts = [post for key in keys if (post := post_queries.by_seq(snapshot, key.post))]
        assert len(all_posts) == sum(counts.values())
        assert any(post.has_unpublished_changes for post in all_posts if post.status is PostStatus.PUBLISHED)
        assert all(post.slug == "seal-on-the-slipway" for post in all_posts if post.title.startswith("Seal"))
        corrections = {
            article.title: [
                (correction.kind, correction.reworded_at is not None)
                for correction in correction_queries.of_article(snapshot, article.id)
            ]
            for post in all_posts
            if (article := article_queries.by_id(snapshot, post.id))
        }
    edits = Counter(
        event.header.stream for event in await every_event(store) if event.header.type == "post.edited"
    )
    assert sum(3 <= number <= 8 for number in edits.values()) >= 6
    assert max(edits.values()) <= 8
    assert corrections["The Marigold Keeps Her Winter Hours"] == [("CORRECTION", False)]
    shown = {correction for notes in corrections.values() for correction in notes}
    assert shown == {
        *(("CORRECTION", False), ("CORRECTION", True), ("CLARIFICATION", False), ("UPDATE", False)),
    }


async def test_every_kind_of_event_of_posts_and_categories_occurs(store: Store) -> None:
    types = {event.header.type for event in await every_event(store)}
    assert types >= {
        *("category.created", "category.renamed", "category.described", "category.moved", "category.merged"),
        *("category.deleted", "post.created", "post.edited", "post.categorized", "post.uncategorized"),
        *("post.published", "post.unpublished", "post.archived", "post.unarchived", "author.renamed"),
        *("correction.recorded", "correction.reworded"),
        *("slug.claimed", "slug.released", "actor.registered", "site.named"),
        *("site.described", "page.created", "page.published", "menu.arranged"),
    }


async def test_several_people_write_and_give_reasons(store: Store) -> None:
    events = (await every_event(store))[FIRST_EVENT_COUNT:]
    assert len({event.header.actor_id for event in events}) >= 5
    assert len({step.reason for step in STORY if step.reason}) > len(STORY) / 2
    with store.snapshot() as snapshot:
        names = [author.name for author in authors_queries.authors_after(snapshot, 0, 100)]
        assert site_queries.site_name(snapshot) == "The Pellwick Tidings"
    assert len(names) >= 4
    assert "Wenna Lisk-Arden" in names


async def test_former_slugs_still_find_their_articles_and_categories(store: Store) -> None:
    with store.snapshot() as snapshot:
        lamp = article_queries.by_slug(snapshot, "leading-light-dark-for-ten-nights")
        assert lamp
        assert lamp.slug == "leading-light-goes-dark"
        assert article_queries.previous_slugs(snapshot, lamp) == ["leading-light-dark-for-ten-nights"]
        assert (
            article_queries.by_slug(snapshot, "light-on-gannet-head-to-be-switched-off") is None
        )  # never public
        for former, current in {"food": "table-and-market", "news": "town", "arts": "culture"}.items():
            category = categories.by_slug(snapshot, former)
            assert category
            assert category.slug == current
        assert categories.by_slug(snapshot, "puzzles") is None


async def test_the_counts_of_categories_match_their_listings(store: Store) -> None:
    with store.snapshot() as snapshot:
        every_category = categories.categories_after(snapshot, 0, 100)
        assert {category.name for category in every_category if category.parent} == {
            *("Ferries", "Weather", "Music", "Letters"),
        }
        for category in every_category:
            for descend in (True, False):
                listing_keys = categories.listing_keys(snapshot, category, descend=descend)
                listed = listings.list_keys(snapshot.db, listing_keys, snapshot.position, limit=100)
                assert categories.count_articles(snapshot, category, descend=descend) == len(listed)
        all_keys = listings.list_keys(snapshot.db, [0], snapshot.position, limit=100)
        assert article_queries.count_articles(snapshot) == len(all_keys) >= 12


async def test_the_site_has_pages_and_a_menu(store: Store) -> None:
    with store.snapshot() as snapshot:
        pages = [page.slug for page in site_pages.public_pages(snapshot)]
        hrefs = [item.href for item in resolved_items(snapshot)]
    assert pages == ["about-the-tidings", "imprint"]
    assert "/pages/imprint" in hrefs
    assert len(hrefs) >= 6
    assert None not in hrefs


async def test_a_second_load_is_rejected_and_records_nothing(store: Store) -> None:
    head = await store.log.head()
    clock = DemoClock(store.clock.now())
    with pytest.raises(StoreNotEmpty, match="the demo loads into an empty store") as error:
        await load_demo(store.commands, clock)
    assert (await store.log.head(), error.value.position) == (head, head)


async def test_a_store_with_one_category_is_not_empty(tmp_path: Path) -> None:
    clock = DemoClock(0)
    async with open_store(tmp_path / "store", clock=clock) as store:
        await store.commands.handle(CreateCategory(name="Ours"))
        with pytest.raises(StoreNotEmpty):
            await load_demo(store.commands, clock)
        assert await store.log.head() == FIRST_EVENT_COUNT + 2


async def test_the_same_start_and_randomness_produce_the_same_bytes(tmp_path: Path, now: int) -> None:
    logs = []
    for name in ("one", "two"):
        async with demo_store(tmp_path / name, now=now, randomness=FixedRandomness()) as store:
            logs.append(await every_event(store))
    assert logs[0] == logs[1]


async def test_the_store_continues_with_the_system_clock(tmp_path: Path, now: int) -> None:
    async with demo_store(tmp_path / "demo", now=now) as store:
        head = await store.log.head()
    async with open_store(tmp_path / "demo") as store:
        await store.commands.handle(CreateCategory(name="Today"))
        events = await every_event(store)
    assert len(events) == head + 2
    assert events[-1].header.recorded_at >= now


def test_the_texts_are_well_formed_and_the_long_ones_have_headings() -> None:
    names = [step.act.creates[1] for step in STORY if step.act.creates and step.act.creates[0] == "post"]
    assert len(set(names)) == len(names) >= 14
    bodies = {name: render(text(name, 99)) for name in names}
    assert not [name for name, body in bodies.items() if "&lt;!--" in body.html]
    long = [body for body in bodies.values() if body.length.words >= 300]
    assert len(long) >= 5
    assert all(
        len(body.sections) >= 2 and {section.level for section in body.sections} == {2} for body in long
    )
    everything = "".join(body.html for body in bodies.values())
    for element in ("<table>", "<ul>", "<ol>", "<blockquote>", "<a ", "<em>", "<strong>"):
        assert element in everything


def test_a_text_grows_and_loses_parts_by_versions() -> None:
    assert "Ten nights, if the weather" in text("lamp", 4)
    assert "Ten nights, if the weather" not in text("lamp", 5)
    assert text("lamp", 1) != text("lamp", 2) != text("lamp", 3)
    with pytest.raises(OSError, match="no-such-text"):
        text("no-such-text", 1)


def test_the_clock_only_moves_forwards() -> None:
    clock = DemoClock(1_000)
    clock.set(clock.now() + 5)
    clock.set(1_005)
    assert clock.now() == 1_005
    with pytest.raises(ValueError, match="cannot set the clock back"):
        clock.set(1_004)
    with pytest.raises(ValueError, match="cannot set the clock back"):
        clock.set(clock.now() - 1)
    assert clock.now() == 1_005
