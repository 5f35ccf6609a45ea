"""Import of saved blog pages into a real store: once, completely, and without undoing changes of editors."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.features.actors.model import IMPORTER
from ledgerpress.features.authors.commands import RegisterAuthor, RenameAuthor
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
from ledgerpress.features.page_import.report import TEXT_DIFFERS, Action, ImportReport, Kind, ReportEntry
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
from ledgerpress.operator.withdraw import withdraw_payload
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
    async with open_store(tmp_path / "store") as store_:
        yield store_


def a_page(
    title: str = BREAD,
    *recent: tuple[str, ...],
    body: str = PLAIN_BODY,
    preamble: tuple[str, ...] = ("Categories: Food, Town",),
) -> str:
    listed = ["Recent Posts", *(line for entry in recent for line in entry)] if recent else []
    return "\n\n".join((*preamble, title, title, body, *listed))


async def import_text(
    store: Store, text: str, retrieved_at: datetime = RETRIEVED, *, dry_run: bool = False
) -> ImportReport:
    return await import_page(
        store, parse_page(text, retrieved_at), retrieved_at=retrieved_at, dry_run=dry_run
    )


async def import_unchanged(store: Store, text: str, retrieved_at: datetime = RETRIEVED) -> ImportReport:
    head = await store.log.head()
    report = await import_text(store, text, retrieved_at)
    assert await store.log.head() == head
    assert report.made == ()
    return report


def front_page(store: Store) -> list[Article]:
    with store.snapshot() as snapshot:
        keys = listings.list_keys(snapshot.db, [0], snapshot.position, limit=100)
        articles = [article_queries.by_seq(snapshot, key.post) for key in keys]
    return [article for article in articles if article]


def titled(store: Store, title: str) -> Article:
    (matching_article,) = [article for article in front_page(store) if article.title == title]
    return matching_article


def body_of(store: Store, article: Article) -> str:
    with store.snapshot() as snapshot:
        return post_queries.markdown(snapshot, article.body)


def categories_of(store: Store, article: Article) -> list[str]:
    with store.snapshot() as snapshot:
        return [category.name for category in post_queries.categories_of(snapshot, article.seq)]


def published(article: Article) -> datetime:
    return datetime.fromtimestamp(article.published_at / 1_000_000, UTC)


def entry(report: ImportReport, name: str) -> ReportEntry:
    (match,) = [entry_ for entry_ in (*report.made, *report.unchanged) if entry_.name == name]
    return match


# --- one page ---


async def test_a_page_creates_an_article_six_posts_two_categories_and_a_site_name(store: Store) -> None:
    report = await import_text(store, TIDE_MILL)
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

    assert [entry_.kind for entry_ in report.made] == [
        *(Kind.SITE, Kind.CATEGORY, Kind.CATEGORY, Kind.ARTICLE),
        *[Kind.RECENT_POST] * 6,
    ]
    assert {entry_.action for entry_ in report.made} == {Action.MADE}
    article_entry = entry(report, TITLE)
    assert (article_entry.id, article_entry.slug) == (article.id, article.slug)
    assert (report.guessed, report.links_without_target) == (page.guesses, page.links_without_target)


async def test_recent_posts_of_equal_age_have_the_order_of_the_page(store: Store) -> None:
    await import_text(store, TIDE_MILL)
    page = parse_page(TIDE_MILL, RETRIEVED)
    articles = front_page(store)
    assert [article.title for article in articles] == [TITLE, *(post.title for post in page.recent)]
    assert {published(article) for article in articles[1:]} == {RETRIEVED - timedelta(days=5)}
    assert [article.teaser for article in articles[1:]] == [post.teaser for post in page.recent]
    cut_titles = [article.title for article in articles if article.teaser and article.teaser.endswith("…")]
    assert cut_titles == [post.title for post in page.recent if post.teaser_is_cut]
    assert len(cut_titles) == 5
    assert {body_of(store, article) for article in articles[1:]} == {""}


async def test_all_events_have_the_importer_as_actor_and_a_reason(store: Store) -> None:
    await import_text(store, TIDE_MILL)
    events = await store.log.read(OPENING_EVENTS, 1_000)
    assert {event.header.actor_id for event in events} == {IMPORTER.id}
    assert len({event.header.correlation_id for event in events}) == 1
    assert all(b"imported from a saved page" in event.payload.plaintext for event in events if event.payload)


@pytest.mark.parametrize("name", ["tide-mill", "night-market", "town-library", "tram-line"])
async def test_importing_the_same_page_again_records_no_event(store: Store, name: str) -> None:
    text = (Path(__file__).parent.parent / "pages" / f"{name}.txt").read_bytes().decode()
    first = await import_text(store, text)
    again = await import_unchanged(store, text)
    posts_made = [entry_ for entry_ in first.made if entry_.kind in {Kind.ARTICLE, Kind.RECENT_POST}]
    assert [entry_.id for entry_ in again.unchanged if entry_.kind is not Kind.SITE] == [
        entry_.id for entry_ in posts_made
    ]
    assert {entry_.action for entry_ in again.unchanged} == {Action.UNCHANGED}
    await import_unchanged(store, text, RETRIEVED + timedelta(days=30))


async def test_a_dry_run_records_nothing_and_reports_what_an_import_would_create(store: Store) -> None:
    report = await import_text(store, TIDE_MILL, dry_run=True)
    assert await store.log.head() == OPENING_EVENTS
    imported = await import_text(store, TIDE_MILL)
    assert [(entry_.kind, entry_.name) for entry_ in report.made] == [
        (entry_.kind, entry_.name) for entry_ in imported.made
    ]
    assert {(entry_.id, entry_.slug) for entry_ in report.made} == {(None, None)}
    again = await import_text(store, TIDE_MILL, dry_run=True)
    assert (again.dry_run, again.made) == (True, ())


async def test_the_next_import_completes_an_interrupted_one(store: Store) -> None:
    count_before = len(front_page(store))
    page = parse_page(TIDE_MILL, RETRIEVED)
    part = "\n\n".join(
        (TIDE_MILL[: TIDE_MILL.index(page.recent[0].title)], page.recent[-1].title, "5 days ago")
    )
    await import_text(store, part)
    report = await import_text(store, TIDE_MILL)
    assert len(front_page(store)) == count_before + 7
    assert entry(report, page.recent[-1].title).action is Action.COMPLETED
    assert entry(report, TITLE).action is Action.UNCHANGED


async def test_concurrent_imports_of_one_page_create_it_once(tmp_path: Path) -> None:
    async with open_store(tmp_path / "store") as first_store, open_store(tmp_path / "store") as second_store:
        await asyncio.gather(
            *(
                import_text(store, TIDE_MILL)
                for store in (first_store, second_store, first_store, second_store)
            )
        )
        await first_store.commands.handle(CreateCategory(name="Waits until the views are here"))
        page = parse_page(TIDE_MILL, RETRIEVED)
        assert [article.title for article in front_page(first_store)] == [
            TITLE,
            *(post.title for post in page.recent),
        ]
        await import_unchanged(first_store, TIDE_MILL)


async def test_a_retrieval_date_in_the_future_is_rejected(store: Store) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    for text in (TIDE_MILL, a_page(preamble=("Published on 3 March 2020",))):
        with pytest.raises(Rejection, match="is in the future") as rejection:
            await import_text(store, text, tomorrow)
        assert rejection.value.code is PUBLISHED_AT_IN_FUTURE
    assert await store.log.head() == OPENING_EVENTS


async def test_an_invalid_page_is_rejected_before_the_first_command(store: Store) -> None:
    too_long = "\n\n".join(["A paragraph of a page that goes on and on, and then on again." * 50] * 100)
    with pytest.raises(Rejection) as rejection:
        await import_text(store, a_page(BREAD, (KITES, "1 day ago"), body=too_long))
    assert (rejection.value.code, rejection.value.field) == (ErrorCode.TOO_LONG, ("body",))
    assert await store.log.head() == OPENING_EVENTS


# --- the site and the categories ---


async def test_an_import_does_not_rename_a_site(store: Store) -> None:
    await store.commands.handle(NameSite(name="Our Paper"))
    report = await import_text(store, TIDE_MILL)
    with store.snapshot() as snapshot:
        assert site_queries.site_name(snapshot) == "Our Paper"
    site_entry = entry(report, "Our Paper")
    assert (site_entry.action, site_entry.note) == (Action.KEPT, "the page has “Brack Sound Courier”")


async def test_existing_categories_are_used_even_if_renamed_or_merged(store: Store) -> None:
    handle = store.commands.handle
    named = await handle(CreateCategory(name="Energy", slug="power"))
    old = await handle(CreateCategory(name="Heritage"))
    into = await handle(CreateCategory(name="History"))
    await handle(RenameCategory(category=CategoryRef(id=into.subject_id), name="The Past", slug="past"))
    await handle(MergeCategory(category=CategoryRef(id=old.subject_id), into=CategoryRef(slug="past")))

    report = await import_text(store, TIDE_MILL)
    assert categories_of(store, titled(store, TITLE)) == ["Energy", "The Past"]
    assert {(entry_.id, entry_.action) for entry_ in report.unchanged if entry_.kind is Kind.CATEGORY} == {
        (named.subject_id, Action.UNCHANGED),
        (into.subject_id, Action.UNCHANGED),
    }
    assert entry(report, "The Past").note == "the page has “Heritage”"


async def test_a_renamed_category_is_found_by_the_slug_that_earlier_versions_derived(store: Store) -> None:
    handle = store.commands.handle
    summer = await handle(CreateCategory(name="L’été", slug="lété"))
    await handle(RenameCategory(category=CategoryRef(slug="lété"), name="Summer", slug="summer"))
    report = await import_text(store, a_page(preamble=("Categories: L’été",)))
    assert entry(report, "Summer").id == summer.subject_id
    assert categories_of(store, titled(store, BREAD)) == ["Summer"]


async def test_a_deleted_category_is_created_again_only_for_another_page(
    store: Store,
) -> None:
    first = await import_text(store, a_page())
    food = entry(first, "Food")
    article = titled(store, BREAD)
    await store.commands.handle(UncategorizePost(post_id=article.id, category=CategoryRef(id=food.id)))
    await store.commands.handle(DeleteCategory(category=CategoryRef(id=food.id)))
    await import_unchanged(store, a_page())

    second = await import_text(store, a_page(KITES))
    assert categories_of(store, titled(store, KITES)) == ["Food", "Town"]
    assert entry(second, "Food").action is Action.MADE
    assert entry(second, "Food").id != food.id


# --- pages that overlap ---


async def test_recent_posts_that_two_pages_share_are_created_once(store: Store) -> None:
    shared = [
        ("The Well Is Deep", "Divers went to look, and came back with a bucket…"),
        ("Snow on the Dunes",),
    ]
    first = [(*shared[0], "2 days ago"), (*shared[1], "3 days ago"), ("Only Here", "4 days ago")]
    second = [("Newer Than All", "1 hour ago"), (*shared[0], "1 week ago"), (*shared[1], "1 week ago")]
    await import_text(store, a_page(BREAD, *first))
    before = {article.title: article for article in front_page(store)}
    report = await import_text(store, a_page(KITES, *second), RETRIEVED + timedelta(days=9))

    after = {article.title: article for article in front_page(store)}
    assert len(front_page(store)) == len(after) == 6
    assert {title: after[title] for title in before} == before
    assert {entry_.name for entry_ in report.unchanged if entry_.kind is Kind.RECENT_POST} == {
        "The Well Is Deep",
        "Snow on the Dunes",
    }
    await import_unchanged(store, a_page(BREAD, *first))


async def test_posts_with_equal_headlines_but_different_teasers_are_different_posts(store: Store) -> None:
    entries = [
        ("Letters of the Week", "About dogs.", "1 day ago"),
        ("Letters of the Week", "About bells.", "8 days ago"),
    ]
    page = a_page(BREAD, *entries)
    await import_text(store, page)
    assert sorted(str(post.teaser) for post in front_page(store) if post.title == "Letters of the Week") == [
        "About bells.",
        "About dogs.",
    ]
    await import_unchanged(store, page)
    report = await import_text(
        store, a_page(KITES, entries[1], ("LETTERS OF THE WEEK", "About rain…", "just now"))
    )
    assert [entry_.name for entry_ in report.made if entry_.kind is Kind.RECENT_POST] == [
        "LETTERS OF THE WEEK"
    ]


async def test_a_teaser_that_is_cut_at_another_place_is_the_same_post(store: Store) -> None:
    await import_text(store, a_page(BREAD, (KITES, "Forty roofs, forty kites, and one…", "1 day ago")))
    report = await import_unchanged(
        store,
        a_page(BREAD, (KITES, "Forty roofs, forty kites, and one long argument about string…", "1 day ago")),
    )
    assert entry(report, KITES).action is Action.UNCHANGED


SIX_DAYS_AGO: Final = (BREAD, "It rises for two days.", "6 days ago")


@pytest.mark.parametrize("list_first", [True, False])
async def test_an_article_and_its_entry_in_the_list_of_another_page_become_one_post(
    store: Store, list_first: bool
) -> None:
    pages = [a_page(KITES, SIX_DAYS_AGO), a_page()]
    reports = [await import_text(store, page) for page in (pages if list_first else reversed(pages))]

    article = titled(store, BREAD)
    assert (article.teaser, body_of(store, article)) == ("It rises for two days.", PLAIN_BODY)
    assert published(article) == RETRIEVED - timedelta(
        days=6
    )  # the list has a date; the article's own date is a guess
    assert categories_of(store, article) == ["Food", "Town"]
    assert entry(reports[1], BREAD).action is Action.COMPLETED
    assert len(front_page(store)) == 2
    with store.snapshot() as snapshot:
        post = post_queries.by_id(snapshot, article.id)
        assert post
        assert not post.has_unpublished_changes
    for page in pages:
        await import_unchanged(store, page)


@pytest.mark.parametrize("list_first", [True, False])
async def test_the_date_in_an_article_takes_precedence_over_an_age(store: Store, list_first: bool) -> None:
    dated = a_page(body=f"Published on 20 February 2025\n\n{PLAIN_BODY}")
    pages = [a_page(KITES, (BREAD, "1 week ago")), dated]
    for page in pages if list_first else reversed(pages):
        await import_text(store, page)
    assert published(titled(store, BREAD)) == datetime(2025, 2, 20, tzinfo=UTC)


# --- changes of editors are preserved ---


async def test_an_import_preserves_the_changes_of_editors(store: Store) -> None:
    await import_text(store, a_page(BREAD, (KITES, "Of paper.", "1 day ago")))
    bread, kites = titled(store, BREAD), titled(store, KITES)
    await store.commands.handle(
        EditPost(post_id=bread.id, title="Rye and Patience", slug="rye", body="Shorter.", publish=True)
    )
    await store.commands.handle(EditPost(post_id=kites.id, teaser=None, publish=True))
    await store.commands.handle(ArchivePost(post_id=kites.id))

    report = await import_unchanged(store, a_page(BREAD, (KITES, "Of paper.", "1 day ago")))
    bread_entry = entry(report, "Rye and Patience")
    assert (bread_entry.kind, bread_entry.id, bread_entry.slug, bread_entry.action) == (
        Kind.ARTICLE,
        bread.id,
        "rye",
        Action.KEPT,
    )
    assert entry(report, KITES).note == "it was changed here after the import"
    assert body_of(store, titled(store, "Rye and Patience")) == "Shorter."

    report = await import_text(store, a_page(KITES))  # the article whose list entry an editor had archived
    assert entry(report, KITES).action is Action.KEPT
    assert [article.title for article in front_page(store)] == ["Rye and Patience"]


@pytest.mark.parametrize("use_case", [CategorizePost, PublishPost])
async def test_any_change_of_a_post_by_an_editor_prevents_its_completion(
    store: Store, use_case: type
) -> None:
    await import_text(store, a_page(KITES, SIX_DAYS_AGO))
    bread = titled(store, BREAD)
    if use_case is CategorizePost:
        await store.commands.handle(CategorizePost(post_id=bread.id, category=CategoryRef(slug="town")))
    else:
        await store.commands.handle(PublishPost(post_id=bread.id, published_at=0))
    report = await import_unchanged(store, a_page())
    assert entry(report, BREAD).action is Action.KEPT


async def test_a_page_with_a_changed_text_is_reported_and_nothing_is_recorded(store: Store) -> None:
    await import_text(store, a_page())
    report = await import_unchanged(
        store, a_page(body="The oven is cold, and the street has moved away from it.")
    )
    article_entry = entry(report, BREAD)
    assert (article_entry.action, article_entry.note) == (
        Action.KEPT,
        "its text on the page differs from the imported text",
    )


# --- posts with the same headline ---

LETTERS: Final = "Letters of the Week"
DOGS: Final = "Sir, the dogs on the quay bark all night.\n\nMadam, they do not; it is the seals that bark."
BELLS: Final = "Sir, the bell of the chapel rings a minute late.\n\nMadam, my watch agrees with the bell."


def letters(text: str, date: str | None, *recent: tuple[str, ...]) -> str:
    return a_page(LETTERS, *recent, body="\n\n".join(filter(None, (date, text))), preamble=())


async def bodies_titled(store: Store, title: str) -> set[str]:
    return {body_of(store, article) for article in front_page(store) if article.title == title}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((letters(DOGS, "December 5, 2024"), RETRIEVED), (letters(BELLS, "December 12, 2024"), RETRIEVED)),
        (
            (letters(DOGS, "5/12/2024"), RETRIEVED),
            (letters(BELLS, "12/12/2024"), RETRIEVED),
        ),
        (
            (letters(DOGS, None), datetime(2024, 12, 5, tzinfo=UTC)),
            (letters(BELLS, None), datetime(2024, 12, 12, tzinfo=UTC)),
        ),
        (
            (letters(DOGS, "December 5, 2024"), RETRIEVED),
            (letters(BELLS, None), datetime(2024, 12, 12, tzinfo=UTC)),
        ),
    ],
)
async def test_articles_with_the_same_headline_and_different_texts_are_two_posts(
    store: Store, first: tuple[str, datetime], second: tuple[str, datetime]
) -> None:
    for text, retrieved_at in (first, second):
        report = await import_text(store, text, retrieved_at)
        assert entry(report, LETTERS).action is Action.MADE
    assert await bodies_titled(store, LETTERS) == {DOGS, BELLS}
    assert {article.slug for article in front_page(store)} == {"letters-of-the-week", "letters-of-the-week-2"}
    for text, retrieved_at in (first, second, first):
        report = await import_unchanged(store, text, retrieved_at)
        assert entry(report, LETTERS).action is Action.UNCHANGED


async def test_a_column_with_a_fixed_form_is_one_post_a_day(store: Store) -> None:
    for day, wind in ((5, "west"), (6, "north"), (7, "east")):
        body = f"December {day}, 2024\n\nDry all day, 3 degrees at noon, and a light wind from the {wind}."
        await import_text(store, a_page("The Weather", body=body, preamble=()))
    assert len(await bodies_titled(store, "The Weather")) == 3


async def test_an_article_of_which_one_paragraph_changed_is_the_same_post(store: Store) -> None:
    await import_text(store, letters(f"{DOGS}\n\nAll agree.", "December 5, 2024"))
    for date in ("December 5, 2024", "December 6, 2024", None):
        report = await import_unchanged(store, letters(f"{DOGS}\n\nNobody agrees.", date))
        assert entry(report, LETTERS).note == TEXT_DIFFERS
        assert report.differing_posts == (entry(report, LETTERS),)


async def test_the_list_of_the_next_page_contains_the_former_article(store: Store) -> None:
    await import_text(store, letters(DOGS, "December 5, 2024"))
    second = letters(BELLS, "December 12, 2024", (LETTERS, "December 5, 2024"))
    await import_text(store, second)
    assert await bodies_titled(store, LETTERS) == {DOGS, BELLS}
    assert len(front_page(store)) == 2
    await import_unchanged(store, second)
    await import_unchanged(store, letters(BELLS, "December 12, 2024"))


async def test_an_article_is_not_taken_for_an_older_post_in_its_own_list(store: Store) -> None:
    await import_text(store, letters(BELLS, "December 12, 2024"))
    second = letters(BELLS, "December 12, 2024", (LETTERS, "December 5, 2024"))
    await import_text(store, second)
    assert await bodies_titled(store, LETTERS) == {BELLS, ""}
    await import_text(store, letters(DOGS, "December 5, 2024"))
    assert await bodies_titled(store, LETTERS) == {BELLS, DOGS}
    assert len(front_page(store)) == 2
    await import_unchanged(store, second)


async def test_an_article_that_an_editor_rewrote_is_recognised_by_its_imported_text(store: Store) -> None:
    page = letters(DOGS, "December 5, 2024")
    await import_text(store, page)
    article = titled(store, LETTERS)
    await store.commands.handle(EditPost(post_id=article.id, body="Something else.", publish=True))
    await store.commands.handle(PublishPost(post_id=article.id, published_at=0))
    report = await import_unchanged(store, page)
    assert entry(report, LETTERS).note == "it was changed here after the import"
    await import_text(store, letters(BELLS, "December 12, 2024"))
    assert await bodies_titled(store, LETTERS) == {"Something else.", BELLS}


async def test_a_withdrawn_article_is_not_imported_again(store: Store) -> None:
    page = letters(DOGS, "December 5, 2024")
    await import_text(store, page)
    position = next(
        event.position
        for event in await store.log.read(OPENING_EVENTS, 100)
        if event.header.type == "post.created"
    )
    request = CommandRequest(reason="A court said so.")
    await withdraw_payload(store.log, store.codec, store.clock, store.randomness, position, request)
    await store.commands.handle(CreateCategory(name="Waits until the views are here"))
    await import_unchanged(store, page)
    assert entry(await import_text(store, letters(BELLS, "December 12, 2024")), LETTERS).action is Action.MADE


# --- authors and dates ---


async def test_the_byline_becomes_the_author(store: Store) -> None:
    existing = await store.commands.handle(RegisterAuthor(name="Ada Example"))
    page = a_page(body=f"By ADA EXAMPLE and Bob Sample\n\nDecember 5, 2024 at 9:00 AM\n\n{PLAIN_BODY}")
    report = await import_text(store, page)
    article = titled(store, BREAD)
    assert (body_of(store, article), published(article)) == (PLAIN_BODY, datetime(2024, 12, 5, 9, tzinfo=UTC))
    assert article.author_ids[0] == existing.subject_id
    ada, bob = entry(report, "Ada Example"), entry(report, "Bob Sample")
    assert (ada.kind, ada.action, ada.note) == (Kind.AUTHOR, Action.UNCHANGED, "the page has “ADA EXAMPLE”")
    assert (bob.kind, bob.action, bob.id) == (Kind.AUTHOR, Action.MADE, article.author_ids[1])
    await import_unchanged(store, page)


async def test_a_renamed_author_is_used_again(store: Store) -> None:
    await import_text(store, a_page(body=f"By Ada Example\n\n{PLAIN_BODY}"))
    author_ids = titled(store, BREAD).author_ids
    await store.commands.handle(RenameAuthor(author_id=author_ids[0], name="Ada E. Example"))
    await import_text(store, a_page(KITES, body=f"By Ada Example\n\n{PLAIN_BODY}"))
    assert titled(store, KITES).author_ids == author_ids


async def test_an_article_completes_the_authors_of_its_entry_in_a_list(store: Store) -> None:
    await import_text(store, a_page(KITES, (BREAD, "By Bob Sample", "6 days ago")))
    assert len(titled(store, BREAD).author_ids) == 1
    await import_text(store, a_page("Third", ("Fourth", "6 days ago")))
    await import_text(store, a_page("Fourth", body=f"By Bob Sample\n\n{PLAIN_BODY}"))
    assert titled(store, "Fourth").author_ids == titled(store, BREAD).author_ids


async def test_a_certain_date_replaces_an_uncertain_one(store: Store) -> None:
    for date, expected in (
        (None, RETRIEVED),
        ("5/12/2024", datetime(2024, 5, 12, tzinfo=UTC)),
        ("December 5, 2024", datetime(2024, 12, 5, tzinfo=UTC)),
        ("5/12/2024", datetime(2024, 12, 5, tzinfo=UTC)),
    ):
        body = "\n\n".join(filter(None, (date, PLAIN_BODY)))
        await import_text(store, a_page(body=body))
        assert published(titled(store, BREAD)) == expected
        await import_unchanged(store, a_page(body=body))


async def test_a_post_that_editors_wrote_under_the_same_headline_is_not_changed(store: Store) -> None:
    created = await store.commands.handle(CreatePost(title=BREAD, body="Ours.", publish=True))
    report = await import_text(store, a_page())
    assert entry(report, BREAD).slug == "rye-bread-from-the-old-oven-2"
    bodies = {article.id: body_of(store, article) for article in front_page(store)}
    assert bodies[created.subject_id] == "Ours."
    assert len(bodies) == 2
