"""A generated page is imported as exactly what generated it, and a second time as nothing."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings

from ledgerpress.features.authors import queries as authors
from ledgerpress.features.page_import.import_page import import_page
from ledgerpress.features.page_import.parser.page import ParsedPage, parse_page
from ledgerpress.features.posts import article_queries, post_queries
from ledgerpress.features.posts.body.html_rendering_and_sections import render
from ledgerpress.server.store import Store, open_store
from ledgerpress.views.listings import queries as listings
from tests.property.page_generator import RETRIEVED, Entry, GeneratedPage, pages


def content(parsed: ParsedPage) -> list[tuple[object, ...]]:
    article = parsed.article
    text = tuple(render(article.body_markdown).text.split("\n\n"))
    return [
        (article.title, text, article.authors, article.published_at),
        *(
            (post.title, (post.teaser,) if post.teaser else (), post.authors, post.published_at)
            for post in parsed.recent
        ),
    ]


def generated(page: GeneratedPage) -> list[tuple[object, ...]]:
    return [_values(page.article), *map(_values, page.recent)]


def _values(entry: Entry) -> tuple[object, ...]:
    return entry.title, entry.text, entry.authors, entry.at


@settings(deadline=None, max_examples=300)
@given(pages())
def test_a_page_is_parsed_as_what_generated_it(page: GeneratedPage) -> None:
    parsed = parse_page(page.text, RETRIEVED)
    assert content(parsed) == generated(page)
    sections = render(parsed.article.body_markdown).sections
    assert tuple(section.title for section in sections) == page.headings
    assert parsed.article.categories == page.categories
    assert parsed.site_name == page.site_name
    assert not parsed.article.date.is_guessed


def stored(store: Store) -> set[tuple[object, ...]]:
    with store.snapshot() as snapshot:
        keys = listings.list_keys(snapshot.db, [0], snapshot.position, limit=100)
        articles = [article_queries.by_seq(snapshot, key.post) for key in keys]
        return {
            (
                article.title,
                article.teaser,
                post_queries.markdown(snapshot, article.body),
                tuple(author.name for author in authors.authors(snapshot, article.author_ids)),
                article.published_at,
            )
            for article in articles
            if article
        }


def expected(page: GeneratedPage) -> set[tuple[object, ...]]:
    parsed = parse_page(page.text, RETRIEVED)
    article = page.article
    posts: list[tuple[Entry, str | None, str]] = [(article, None, parsed.article.body_markdown)]
    posts += [(entry, entry.text[0] if entry.text else None, "") for entry in page.recent]
    first: dict[str, str] = {}  # an author keeps the name with which the first import registers it
    for entry in (*reversed(page.recent), article):
        for name in entry.authors:
            first.setdefault(name.casefold(), name)
    return {
        (
            entry.title,
            teaser,
            body,
            tuple(first[name.casefold()] for name in entry.authors),
            int(entry.at.timestamp()) * 1_000_000,
        )
        for entry, teaser, body in posts
    }


@settings(deadline=None, max_examples=15)
@given(pages())
def test_a_page_is_stored_as_what_generated_it_and_only_once(page: GeneratedPage) -> None:
    async def check(data: Path) -> None:
        async with open_store(data) as store:
            parsed = parse_page(page.text, RETRIEVED)
            await import_page(store, parsed, retrieved_at=RETRIEVED)
            assert stored(store) == expected(page)
            head = await store.log.head()
            report = await import_page(store, parsed, retrieved_at=RETRIEVED)
            assert (await store.log.head(), report.made) == (head, ())

    with TemporaryDirectory() as data:
        asyncio.run(check(Path(data) / "store"))
