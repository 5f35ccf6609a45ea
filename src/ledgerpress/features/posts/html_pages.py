"""The front page, article pages and category pages, each rendered from one snapshot."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from ledgerpress.features.authors.pages import AuthorName, author_names
from ledgerpress.features.categories import queries as category_queries
from ledgerpress.features.categories.category_links_on_pages import (
    category_href,
    category_link,
    category_tree,
)
from ledgerpress.features.posts import article_queries, post_queries
from ledgerpress.features.posts.body.accessible_html import with_names_and_scrolling_tables
from ledgerpress.features.posts.body.html_rendering_and_sections import Section, render, teaser_of
from ledgerpress.features.posts.corrections import queries as correction_queries
from ledgerpress.features.posts.corrections.model import CorrectionKind
from ledgerpress.features.posts.listings_projection import EVERY_ARTICLE
from ledgerpress.features.posts.page_changes import (
    PAGE_SIZE,
    article_changes,
    category_page_changes,
    front_page_changes,
)
from ledgerpress.features.posts.pages_at_moments import article_at, article_today, category_at, was_public
from ledgerpress.features.site.local_times import AgeText, DayText, MinuteText, local_time
from ledgerpress.features.site.queries import site_description, site_tzinfo
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.scalars import iso_time
from ledgerpress.http.pages.interface_texts.words import Text
from ledgerpress.http.pages.link import Link
from ledgerpress.http.pages.page_contributions_and_rendering import PageContribution, Pages
from ledgerpress.views.paging import PageRequest, encode_cursor, page_of
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

_MIN_SECTIONS: Final = 3
_PAGING: Final = ("after", "before")
"""The URL parameters that select a page of a list. Pages ignore all others, such as those of campaigns."""
CORRECTION_HEADINGS: Final = {
    CorrectionKind.CORRECTION: Text("Correction"),
    CorrectionKind.CLARIFICATION: Text("Clarification"),
    CorrectionKind.UPDATE: Text("Update"),
}


@dataclass(frozen=True, slots=True)
class Moment:
    """A time: `iso` in UTC for programs; `day` and `minute` in the site's time zone, and `age`, for `words(…)`."""

    iso: str
    day: DayText
    minute: MinuteText
    age: AgeText


@dataclass(frozen=True, slots=True)
class Card:
    """An article in a list of articles."""

    title: str
    href: str
    teaser: str
    authors: Sequence[AuthorName]
    categories: Sequence[Link]
    published: Moment


@dataclass(frozen=True, slots=True)
class ArticleList:
    """A page of a list of articles. `newer` and `older` are the URL queries of the adjacent pages, if any."""

    cards: Sequence[Card]
    newer: str | None
    older: str | None


@dataclass(frozen=True, slots=True)
class Note:
    """A correction on a page. `applies` is false if it is about text that the article no longer has.

    `reworded` is when it got its present wording, `None` if it was never reworded. `has_passage` is false if the article
    does not have the quoted passage. `record` is the correction itself, for the links that features add to it.
    """

    record: correction_queries.Correction
    heading: Text
    at: Moment
    reworded: Moment | None
    note: str
    passage: str | None
    has_passage: bool
    applies: bool


@dataclass(frozen=True, slots=True)
class ArticleContent(Card):
    """An article with its body.

    `standfirst` is the teaser, if one was written. `changed` is when readers last saw a change: of the text, or of a
    correction. `sections` is empty if the body has too few for a table of contents.
    """

    record: article_queries.Article
    standfirst: str | None
    updated: Moment | None
    changed: Moment
    reading_minutes: int
    corrections: Sequence[Note]
    sections: Sequence[Section]
    body: Markup


def article_list(
    snapshot: Snapshot, ks: Sequence[int], now: int, *, after: str | None, before: str | None
) -> ArticleList:
    """Return a page of the listings `ks`, after or before a cursor, newest first. Raises `BadPageRequest`."""
    request = (
        PageRequest(first=PAGE_SIZE, after=after)
        if before is None
        else PageRequest(last=PAGE_SIZE, before=before)
    )
    page = page_of(snapshot, ks, request)
    articles = [article_queries.by_seq(snapshot, key.post) for key in page.entries]
    newer = older = None
    if page.entries and page.has_previous:
        newer = f"?before={encode_cursor(page.entries[0])}"
    if page.entries and page.has_next:
        older = f"?after={encode_cursor(page.entries[-1])}"
    cards = [Card(**_card_fields(snapshot, article, now)) for article in articles if article]
    return ArticleList(cards, newer, older)


def article_content(snapshot: Snapshot, article: article_queries.Article, now: int) -> ArticleContent:
    body, zone = render(post_queries.markdown(snapshot, article.body), article.body), site_tzinfo(snapshot)
    was_updated = article.updated_at > article.published_at
    corrections = correction_queries.of_article(snapshot, article.id)
    corrected_at = [correction.reworded_at or correction.recorded_at for correction in corrections]
    return ArticleContent(
        **_card_fields(snapshot, article, now),
        record=article,
        standfirst=article.teaser or None,
        updated=moment(article.updated_at, now, zone) if was_updated else None,
        changed=moment(max([article.updated_at, *corrected_at]), now, zone),
        reading_minutes=body.length.reading_minutes,
        corrections=_notes(snapshot, article, corrections, now, zone),
        sections=body.sections if len(body.sections) >= _MIN_SECTIONS else (),
        body=Markup(with_names_and_scrolling_tables(body.html)),  # noqa: S704 - sanitised by `render`
    )


def _notes(
    snapshot: Snapshot,
    article: article_queries.Article,
    corrections: Sequence[correction_queries.Correction],
    now: int,
    zone: tzinfo,
) -> list[Note]:
    texts = correction_queries.PublishedTexts(snapshot, article.seq)

    def at(time: int) -> Moment:
        return moment(time, now, zone)

    return [
        note_of(correction, texts, at, applies=texts.are_corrected_by(correction))
        for correction in corrections
    ]


def note_of(
    correction: correction_queries.Correction,
    texts: correction_queries.PublishedTexts,
    at: Callable[[int], Moment],
    *,
    applies: bool = True,
) -> Note:
    """Return a correction for a page. `texts` are those of its article, and `at` returns a time for the page."""
    return Note(
        record=correction,
        heading=CORRECTION_HEADINGS[correction.kind],
        at=at(correction.recorded_at),
        reworded=None if correction.reworded_at is None else at(correction.reworded_at),
        note=correction.note,
        passage=correction.passage,
        has_passage=correction.passage is not None and texts.have_now(correction.passage),
        applies=applies,
    )


def article_href(slug: str) -> str:
    return f"/articles/{quote(slug)}"


def _card_fields(snapshot: Snapshot, article: article_queries.Article, now: int) -> dict[str, Any]:
    """Return the values for the fields of `Card`."""
    teaser = article.teaser
    href = article_href(article.slug)
    categories = post_queries.categories_of(snapshot, article.seq)
    return {
        # A withdrawn title is empty, but headings and links need a name.
        "title": article.title or href,
        "href": href,
        "teaser": teaser_of(post_queries.markdown(snapshot, article.body), article.body)
        if teaser is None
        else teaser,
        "authors": author_names(snapshot, article.author_ids),
        "categories": [category_link(category) for category in categories],
        "published": moment(article.published_at, now, site_tzinfo(snapshot)),
    }


def moment(microseconds: int, now: int, zone: tzinfo) -> Moment:
    """Return a time in microseconds since 1970 for the pages of a site in the time zone `zone`."""
    at = local_time(microseconds, zone)
    return Moment(iso_time(microseconds), DayText(at), MinuteText(at), AgeText(microseconds, now))


def _front(pages: Pages, snapshot: Snapshot, request: Request) -> Response:
    listing = _listing(pages, snapshot, [EVERY_ARTICLE], request)
    return pages.page(
        snapshot,
        "front.html",
        path="/",
        listing=listing,
        tree=category_tree(snapshot),
        description=site_description(snapshot),
        is_archive=any(name in request.query_params for name in _PAGING),
    )


def _article(pages: Pages, snapshot: Snapshot, request: Request) -> Response:
    slug = request.path_params["slug"]
    article = article_at(pages.moment, slug)
    if article is None:
        return article_missing(pages, snapshot, slug)
    if article.slug != slug:
        return pages.moved(snapshot, article_href(article.slug), request.url.query)
    content = article_content(snapshot, article, pages.now)
    content = replace(content, body=pages.body(content.body))
    return pages.page(snapshot, "article.html", path=content.href, subject=content, article=content)


def article_missing(pages: Pages, snapshot: Snapshot, slug: str) -> Response:
    """Return the page for an address of an article that leads to none, with status 404.

    It states whether an article was public there and is not now. Posts that never were are like those that do not exist.
    """
    if was_public(pages.moment, slug) and article_today(pages.moment, slug) is None:
        # It is hidden at all moments, so the page offers no others.
        return pages.page(snapshot, "article_not_public.html", status=HTTPStatus.NOT_FOUND, is_in_time=False)
    return pages.not_found(snapshot)


def _category(pages: Pages, snapshot: Snapshot, request: Request) -> Response:
    slug = request.path_params["slug"]
    category = category_at(pages.moment, slug)
    if category is None:
        return pages.not_found(snapshot)
    if category.slug != slug:
        return pages.moved(snapshot, category_href(category.slug), request.url.query)
    keys = category_queries.listing_keys(snapshot, category, descend=True)
    listing = _listing(pages, snapshot, keys, request)
    return pages.page(
        snapshot,
        "category.html",
        path=category_href(category.slug),
        subject=category,
        category=category,
        count=category_queries.count_articles(snapshot, category, descend=True),
        ancestors=[category_link(above) for above in category_queries.ancestors(snapshot, category)],
        children=category_tree(snapshot, category.seq),
        listing=listing,
    )


def _listing(pages: Pages, snapshot: Snapshot, ks: list[int], request: Request) -> ArticleList:
    parameters = request.query_params
    return article_list(
        snapshot, ks, pages.now, after=parameters.get("after"), before=parameters.get("before")
    )


def _examples(snapshot: Snapshot) -> dict[str, str]:
    """Return the slug and the id of the newest article, so that the examples in GraphiQL return data.

    The page is the same for all users, so it contains only public data. A version is not public: drafts change it.
    """
    newest = page_of(snapshot, [EVERY_ARTICLE], PageRequest(first=1)).entries
    article = article_queries.by_seq(snapshot, newest[0].post) if newest else None
    return {"slug": article.slug, "article": global_ids.encode("Article", article.id)} if article else {}


PAGES: Final = PageContribution(
    routes={"/": _front, "/articles/{slug}": _article, "/categories/{slug}": _category},
    changes={
        "/": front_page_changes,
        "/articles/{slug}": article_changes,
        "/categories/{slug}": category_page_changes,
    },
    templates=Path(__file__).parent / "templates",
    examples=_examples,
)
