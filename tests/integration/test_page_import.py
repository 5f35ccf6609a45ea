"""A page of a scraped blog goes into a real store: once, completely, and never against an editor."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.features.actors.model import IMPORTER
from ledgerpress.features.categories import queries as categories
from ledgerpress.features.categories.commands import (
    CreateCategory,
    DeleteCategory,
    MergeCategory,
    RenameCategory,
)
from ledgerpress.features.categories.model import CategoryRef
from ledgerpress.features.page_import.import_page import import_page
from ledgerpress.features.page_import.parser.page import parse_page
from ledgerpress.features.page_import.report import Action, ImportReport, Kind, ReportEntry
from ledgerpress.features.posts import article_queries, post_queries
from ledgerpress.features.posts.article_queries import Article
from ledgerpress.features.posts.body.html_rendering_and_sections import render
from ledgerpress.features.posts.create_edit_categorize_commands import (
    CategorizePost,
    CreatePost,
    EditPost,
    UncategorizePost,
)
from ledgerpress.features.posts.lifecycle_commands import ArchivePost, PublishPost
from ledgerpress.features.posts.model import PUBLISHED_AT_IN_FUTURE
from ledgerpress.features.site import projector_and_queries as site_queries
from ledgerpress.features.site.commands import NameSite
from ledgerpress.server.store import Store, open_store
from ledgerpress.views.listings import queries as listings

TIDE_MILL: Final = (Path(__file__).parent.parent / "pages" / "tide-mill.txt").read_text("utf-8")
TITLE: Final = "The Tide Mill at Brack Sound Turns Again: A Town’s Long Repair"
RETRIEVED: Final = datetime(2025, 3, 4, tzinfo=UTC)
OPENING_EVENTS: Final = 4

BREAD: Final = "Rye Bread From the Old Oven"
KITES: Final = "A Kite for Every Roof"
PLAIN_BODY: Final = (
    "The oven was built before the street, and the street was built around it, says the baker."
)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "store") as opened:
        yield opened


def a_page(
    title: str = BREAD,
    *recent: tuple[str, ...],
    body: str = PLAIN_BODY,
    kept: tuple[str, ...] = ("Categories: Food, Town",),
) -> str:
    listed = ["Recent Posts", *(line for entry in recent for line in entry)] if recent else []
    return "\n\n".join((*kept, title, title, body, *listed))


async def bring(
    store: Store, text: str, retrieved_at: datetime = RETRIEVED, *, dry_run: bool = False
) -> ImportReport:
    return await import_page(
        store, parse_page(text, retrieved_at), retrieved_at=retrieved_at, dry_run=dry_run
    )


async def records_nothing(store: Store, text: str, retrieved_at: datetime = RETRIEVED) -> ImportReport:
    head = await store.log.head()
    report = await bring(store, text, retrieved_at)
    assert await store.log.head() == head
    assert report.made == ()
    return report


def front_page(store: Store) -> list[Article]:
    with store.snapshot() as snapshot:
        keys = listings.list_keys(snapshot.db, [0], snapshot.position, limit=100)
        found = [article_queries.by_seq(snapshot, key.post) for key in keys]
    return [article for article in found if article]


def titled(store: Store, title: str) -> Article:
    (found,) = [article for article in front_page(store) if article.title == title]
    return found


def body_of(store: Store, article: Article) -> str:
    with store.snapshot() as snapshot:
        return post_queries.markdown(snapshot, article.body)


def categories_of(store: Store, article: Article) -> list[str]:
    with store.snapshot() as snapshot:
        return [category.name for category in post_queries.categories_of(snapshot, article.seq)]


def published(article: Article) -> datetime:
    return datetime.fromtimestamp(article.published_at / 1_000_000, UTC)


def entry(report: ImportReport, name: str) -> ReportEntry:
    (found,) = [one for one in (*report.made, *report.unchanged) if one.name == name]
    return found


# --- one page, as it comes ---


async def test_a_page_becomes_an_article_six_posts_two_categories_and_a_name(store: Store) -> None:
    report = await bring(store, TIDE_MILL)
    page = parse_page(TIDE_MILL, RETRIEVED)

    article = titled(store, TITLE)
    assert (published(article), article.teaser) == (RETRIEVED, None)
    assert body_of(store, article) == page.article.body_markdown
    assert [section.level for section in render(body_of(store, article)).sections] == [2] * 8
    assert categories_of(store, article) == ["Energy", "Heritage"]
    with store.snapshot() as snapshot:
        heritage = categories.by_slug(snapshot, "heritage")
        assert heritage
        assert categories.count_articles(snapshot, heritage, descend=True) == 1
        assert site_queries.site_name(snapshot) == "Brack Sound Courier"

    assert [one.kind for one in report.made] == [
        *(Kind.SITE, Kind.CATEGORY, Kind.CATEGORY, Kind.ARTICLE),
        *[Kind.RECENT_POST] * 6,
    ]
    assert {one.action for one in report.made} == {Action.MADE}
    made = entry(report, TITLE)
    assert (made.id, made.slug) == (article.id, article.slug)
    assert (report.guessed, report.links_without_target) == (page.guesses, page.links_without_target)


async def test_recent_posts_of_equal_age_stand_in_the_order_of_the_page(store: Store) -> None:
    await bring(store, TIDE_MILL)
    page = parse_page(TIDE_MILL, RETRIEVED)
    shown = front_page(store)
    assert [article.title for article in shown] == [TITLE, *(one.title for one in page.recent)]
    assert {published(article) for article in shown[1:]} == {RETRIEVED - timedelta(days=5)}
    assert [article.teaser for article in shown[1:]] == [one.teaser for one in page.recent]
    cut = [article.title for article in shown if article.teaser and article.teaser.endswith("…")]
    assert cut == [one.title for one in page.recent if one.teaser_is_cut]
    assert len(cut) == 5
    assert {body_of(store, article) for article in shown[1:]} == {""}


async def test_everything_is_recorded_as_the_importers_doing_with_a_reason(store: Store) -> None:
    await bring(store, TIDE_MILL)
    events = await store.log.read(OPENING_EVENTS, 1_000)
    assert {event.header.actor_id for event in events} == {IMPORTER.id}
    assert len({event.header.correlation_id for event in events}) == 1
    assert all(b"imported from a saved page" in event.payload.plaintext for event in events if event.payload)


@pytest.mark.parametrize("name", ["tide-mill", "night-market", "town-library", "tram-line"])
async def test_the_same_page_again_records_no_event(store: Store, name: str) -> None:
    text = (Path(__file__).parent.parent / "pages" / f"{name}.txt").read_bytes().decode()
    first = await bring(store, text)
    again = await records_nothing(store, text)
    posts_made = [one for one in first.made if one.kind in {Kind.ARTICLE, Kind.RECENT_POST}]
    assert [one.id for one in again.unchanged if one.kind is not Kind.SITE] == [one.id for one in posts_made]
    assert {one.action for one in again.unchanged} == {Action.UNCHANGED}
    await records_nothing(store, text, RETRIEVED + timedelta(days=30))


async def test_a_dry_run_records_nothing_and_tells_what_would_be_made(store: Store) -> None:
    report = await bring(store, TIDE_MILL, dry_run=True)
    assert await store.log.head() == OPENING_EVENTS
    made = await bring(store, TIDE_MILL)
    assert [(one.kind, one.name) for one in report.made] == [(one.kind, one.name) for one in made.made]
    assert {(one.id, one.slug) for one in report.made} == {(None, None)}
    again = await bring(store, TIDE_MILL, dry_run=True)
    assert (again.dry_run, again.made) == (True, ())


async def test_an_import_that_was_broken_off_is_finished_by_the_next(store: Store) -> None:
    head_of_whole = len(front_page(store))
    page = parse_page(TIDE_MILL, RETRIEVED)
    part = "\n\n".join(
        (TIDE_MILL[: TIDE_MILL.index(page.recent[0].title)], page.recent[-1].title, "5 days ago")
    )
    await bring(store, part)
    report = await bring(store, TIDE_MILL)
    assert len(front_page(store)) == head_of_whole + 7
    assert entry(report, page.recent[-1].title).action is Action.COMPLETED
    assert entry(report, TITLE).action is Action.UNCHANGED


async def test_two_imports_of_one_page_at_once_make_it_once(tmp_path: Path) -> None:
    async with open_store(tmp_path / "store") as here, open_store(tmp_path / "store") as there:
        await asyncio.gather(*(bring(store, TIDE_MILL) for store in (here, there, here, there)))
        await here.commands.handle(CreateCategory(name="Waits until the views are here"))
        page = parse_page(TIDE_MILL, RETRIEVED)
        assert [one.title for one in front_page(here)] == [TITLE, *(one.title for one in page.recent)]
        await records_nothing(here, TIDE_MILL)


async def test_a_retrieval_in_the_future_is_refused_and_nothing_recorded(store: Store) -> None:
    soon = datetime.now(UTC) + timedelta(days=1)
    for text in (TIDE_MILL, a_page(kept=("Published on 3 March 2020",))):
        with pytest.raises(Rejection, match="is in the future") as refused:
            await bring(store, text, soon)
        assert refused.value.code is PUBLISHED_AT_IN_FUTURE
    assert await store.log.head() == OPENING_EVENTS


async def test_what_a_command_would_refuse_stops_the_import_before_its_first(store: Store) -> None:
    too_long = "\n\n".join(["A paragraph of a page that goes on and on, and then on again." * 50] * 100)
    with pytest.raises(Rejection) as refused:
        await bring(store, a_page(BREAD, (KITES, "1 day ago"), body=too_long))
    assert (refused.value.code, refused.value.field) == (ErrorCode.TOO_LONG, ("body",))
    assert await store.log.head() == OPENING_EVENTS


# --- the site and the categories ---


async def test_a_site_that_has_a_name_keeps_it(store: Store) -> None:
    await store.commands.handle(NameSite(name="Our Paper"))
    report = await bring(store, TIDE_MILL)
    with store.snapshot() as snapshot:
        assert site_queries.site_name(snapshot) == "Our Paper"
    kept = entry(report, "Our Paper")
    assert (kept.action, kept.note) == (Action.KEPT, "the page has “Brack Sound Courier”")


async def test_categories_that_exist_are_used_also_renamed_and_merged_ones(store: Store) -> None:
    handle = store.commands.handle
    named = await handle(CreateCategory(name="Energy", slug="power"))
    old = await handle(CreateCategory(name="Heritage"))
    into = await handle(CreateCategory(name="History"))
    await handle(RenameCategory(category=CategoryRef(id=into.subject_id), name="The Past", slug="past"))
    await handle(MergeCategory(category=CategoryRef(id=old.subject_id), into=CategoryRef(slug="past")))

    report = await bring(store, TIDE_MILL)
    assert categories_of(store, titled(store, TITLE)) == ["Energy", "The Past"]
    assert {(one.id, one.action) for one in report.unchanged if one.kind is Kind.CATEGORY} == {
        (named.subject_id, Action.UNCHANGED),
        (into.subject_id, Action.UNCHANGED),
    }
    assert entry(report, "The Past").note == "the page has “Heritage”"


async def test_a_category_deleted_since_is_made_anew_for_another_page_but_not_for_the_same(
    store: Store,
) -> None:
    first = await bring(store, a_page())
    food = entry(first, "Food")
    article = titled(store, BREAD)
    await store.commands.handle(UncategorizePost(post_id=article.id, category=CategoryRef(id=food.id)))
    await store.commands.handle(DeleteCategory(category=CategoryRef(id=food.id)))
    await records_nothing(store, a_page())

    second = await bring(store, a_page(KITES))
    assert categories_of(store, titled(store, KITES)) == ["Food", "Town"]
    assert entry(second, "Food").action is Action.MADE
    assert entry(second, "Food").id != food.id


# --- pages that overlap ---


async def test_two_pages_that_share_recent_posts_make_each_once(store: Store) -> None:
    shared = [
        ("The Well Is Deep", "Divers went to look, and came back with a bucket…"),
        ("Snow on the Dunes",),
    ]
    first = [(*shared[0], "2 days ago"), (*shared[1], "3 days ago"), ("Only Here", "4 days ago")]
    second = [("Newer Than All", "1 hour ago"), (*shared[0], "1 week ago"), (*shared[1], "1 week ago")]
    await bring(store, a_page(BREAD, *first))
    before = {article.title: article for article in front_page(store)}
    report = await bring(store, a_page(KITES, *second), RETRIEVED + timedelta(days=9))

    after = {article.title: article for article in front_page(store)}
    assert len(front_page(store)) == len(after) == 6
    assert {title: after[title] for title in before} == before
    assert {one.name for one in report.unchanged if one.kind is Kind.RECENT_POST} == {
        "The Well Is Deep",
        "Snow on the Dunes",
    }
    await records_nothing(store, a_page(BREAD, *first))


async def test_posts_that_share_a_headline_but_not_the_teaser_are_two(store: Store) -> None:
    entries = [
        ("Letters of the Week", "About dogs.", "1 day ago"),
        ("Letters of the Week", "About bells.", "8 days ago"),
    ]
    page = a_page(BREAD, *entries)
    await bring(store, page)
    assert sorted(str(one.teaser) for one in front_page(store) if one.title == "Letters of the Week") == [
        "About bells.",
        "About dogs.",
    ]
    await records_nothing(store, page)
    report = await bring(store, a_page(KITES, entries[1], ("LETTERS OF THE WEEK", "About rain…", "just now")))
    assert [one.name for one in report.made if one.kind is Kind.RECENT_POST] == ["LETTERS OF THE WEEK"]


async def test_the_same_teaser_cut_elsewhere_is_the_same_post(store: Store) -> None:
    await bring(store, a_page(BREAD, (KITES, "Forty roofs, forty kites, and one…", "1 day ago")))
    report = await records_nothing(
        store,
        a_page(BREAD, (KITES, "Forty roofs, forty kites, and one long argument about string…", "1 day ago")),
    )
    assert entry(report, KITES).action is Action.UNCHANGED


SIX_DAYS_AGO: Final = (BREAD, "It rises for two days.", "6 days ago")


@pytest.mark.parametrize("list_first", [True, False])
async def test_an_article_and_its_entry_in_another_pages_list_become_one_whole_post(
    store: Store, list_first: bool
) -> None:
    pages = [a_page(KITES, SIX_DAYS_AGO), a_page()]
    reports = [await bring(store, page) for page in (pages if list_first else reversed(pages))]

    article = titled(store, BREAD)
    assert (article.teaser, body_of(store, article)) == ("It rises for two days.", PLAIN_BODY)
    assert published(article) == RETRIEVED - timedelta(days=6)  # known, where the article's own is a guess
    assert categories_of(store, article) == ["Food", "Town"]
    assert entry(reports[1], BREAD).action is Action.COMPLETED
    assert len(front_page(store)) == 2
    with store.snapshot() as snapshot:
        post = post_queries.by_id(snapshot, article.id)
        assert post
        assert not post.has_unpublished_changes
    for page in pages:
        await records_nothing(store, page)


@pytest.mark.parametrize("list_first", [True, False])
async def test_the_date_that_an_article_gives_is_better_than_an_age(store: Store, list_first: bool) -> None:
    dated = a_page(body=f"Published on 20 February 2025\n\n{PLAIN_BODY}")
    pages = [a_page(KITES, (BREAD, "1 week ago")), dated]
    for page in pages if list_first else reversed(pages):
        await bring(store, page)
    assert published(titled(store, BREAD)) == datetime(2025, 2, 20, tzinfo=UTC)


# --- what an editor did stays ---


async def test_an_editors_change_is_kept(store: Store) -> None:
    await bring(store, a_page(BREAD, (KITES, "Of paper.", "1 day ago")))
    bread, kites = titled(store, BREAD), titled(store, KITES)
    await store.commands.handle(
        EditPost(post_id=bread.id, title="Rye and Patience", slug="rye", body="Shorter.", publish=True)
    )
    await store.commands.handle(EditPost(post_id=kites.id, teaser=None, publish=True))
    await store.commands.handle(ArchivePost(post_id=kites.id))

    report = await records_nothing(store, a_page(BREAD, (KITES, "Of paper.", "1 day ago")))
    kept = entry(report, "Rye and Patience")
    assert (kept.kind, kept.id, kept.slug, kept.action) == (Kind.ARTICLE, bread.id, "rye", Action.KEPT)
    assert entry(report, KITES).note == "it was changed here after the import"
    assert body_of(store, titled(store, "Rye and Patience")) == "Shorter."

    report = await bring(store, a_page(KITES))  # the article of which an editor had put the entry away
    assert entry(report, KITES).action is Action.KEPT
    assert [article.title for article in front_page(store)] == ["Rye and Patience"]


@pytest.mark.parametrize("use_case", [CategorizePost, PublishPost])
async def test_whatever_an_editor_does_with_an_entry_makes_it_theirs(store: Store, use_case: type) -> None:
    await bring(store, a_page(KITES, SIX_DAYS_AGO))
    bread = titled(store, BREAD)
    if use_case is CategorizePost:
        await store.commands.handle(CategorizePost(post_id=bread.id, category=CategoryRef(slug="town")))
    else:
        await store.commands.handle(PublishPost(post_id=bread.id, published_at=0))
    report = await records_nothing(store, a_page())
    assert entry(report, BREAD).action is Action.KEPT


async def test_a_page_whose_text_has_changed_is_reported_and_nothing_recorded(store: Store) -> None:
    await bring(store, a_page())
    report = await records_nothing(
        store, a_page(body="The oven is cold, and the street has moved away from it.")
    )
    kept = entry(report, BREAD)
    assert (kept.action, kept.note) == (
        Action.KEPT,
        "its text on the page differs from the imported text",
    )


async def test_a_post_that_editors_wrote_under_the_same_headline_is_not_touched(store: Store) -> None:
    own = await store.commands.handle(CreatePost(title=BREAD, body="Ours.", publish=True))
    report = await bring(store, a_page())
    assert entry(report, BREAD).slug == "rye-bread-from-the-old-oven-2"
    bodies = {article.id: body_of(store, article) for article in front_page(store)}
    assert bodies[own.subject_id] == "Ours."
    assert len(bodies) == 2
