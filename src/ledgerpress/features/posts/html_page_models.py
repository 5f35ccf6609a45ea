"""What the pages of articles show, read from one snapshot and ready for the templates."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from markupsafe import Markup

from ledgerpress.features.authors import read_model as authors_queries
from ledgerpress.features.categories.html_navigation import category_link
from ledgerpress.features.posts import article_queries, post_queries
from ledgerpress.features.posts.body.rendering import Section, render, teaser_of
from ledgerpress.graphql.scalars import iso_time
from ledgerpress.http.pages.pages import Link
from ledgerpress.views.paging import PageRequest, encode_cursor, page_of
from ledgerpress.views.relative_time import relative_time
from ledgerpress.views.snapshot import Snapshot

PAGE_SIZE: Final = 10
_MIN_SECTIONS: Final = 3
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment in UTC: for programs, as a day and to the minute for readers, and as an age."""

    iso: str
    day: str
    minute: str
    age: str


@dataclass(frozen=True, slots=True)
class Card:
    """An article in a list."""

    title: str
    href: str
    teaser: str
    authors: Sequence[str]
    categories: Sequence[Link]
    published: Moment


@dataclass(frozen=True, slots=True)
class ArticleList:
    """A page of a list of articles; `newer` and `older` are queries that lead to its neighbours."""

    cards: Sequence[Card]
    newer: str | None
    older: str | None


@dataclass(frozen=True, slots=True)
class ArticleContent(Card):
    """An article. `sections` is empty if the body is too short for a table of contents."""

    updated: Moment | None
    reading_minutes: int
    corrections: Sequence[tuple[Moment, str]]
    sections: Sequence[Section]
    body: Markup


def article_list(
    snapshot: Snapshot, ks: Sequence[int], now: int, *, after: str | None, before: str | None
) -> ArticleList:
    """Return the articles of the listings `ks` next to a cursor, the newest first. Raises `BadPageRequest`."""
    request = (
        PageRequest(last=PAGE_SIZE, before=before) if before else PageRequest(first=PAGE_SIZE, after=after)
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
    body = render(post_queries.markdown(snapshot, article.body))
    was_updated = article.updated_at > article.published_at
    return ArticleContent(
        **_card_fields(snapshot, article, now),
        updated=_moment(article.updated_at, now) if was_updated else None,
        reading_minutes=body.reading_minutes,
        corrections=[
            (_moment(correction.at, now), correction.note)
            for correction in article_queries.corrections(snapshot, article)
        ],
        sections=body.sections if len(body.sections) >= _MIN_SECTIONS else (),
        body=Markup(body.html),  # noqa: S704 - sanitised by `render`
    )


def article_href(slug: str) -> str:
    return f"/articles/{quote(slug)}"


def _card_fields(snapshot: Snapshot, article: article_queries.Article, now: int) -> dict[str, Any]:
    """Return the values of the fields of `Card`."""
    teaser, authors = article.teaser, authors_queries.authors(snapshot, article.author_ids)
    categories = post_queries.categories_of(snapshot, article.seq)
    return {
        "title": article.title,
        "href": article_href(article.slug),
        "teaser": teaser_of(post_queries.markdown(snapshot, article.body)) if teaser is None else teaser,
        "authors": [author.name for author in authors],
        "categories": [category_link(category) for category in categories],
        "published": _moment(article.published_at, now),
    }


def _moment(microseconds: int, now: int) -> Moment:
    at = _EPOCH + timedelta(microseconds=microseconds)
    day = f"{at.day} {at:%B} {at.year}"
    return Moment(iso_time(microseconds), day, f"{day}, {at:%H:%M} UTC", relative_time(microseconds, now))
