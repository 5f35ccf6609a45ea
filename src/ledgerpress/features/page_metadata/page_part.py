"""The metadata in the head of the front page, of category pages and of articles.

It contains only what the page itself shows. A page as of a moment refers to the current page, and has no JSON-LD: search
engines do not index it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import langcodes

from ledgerpress.features.categories import queries as category_queries
from ledgerpress.features.categories.category_links_on_pages import category_href
from ledgerpress.features.categories.queries import Category
from ledgerpress.features.page_metadata.news_article import json_ld
from ledgerpress.features.posts import article_queries, post_queries
from ledgerpress.features.posts.pages import ArticleContent, article_href
from ledgerpress.features.site.queries import site_description
from ledgerpress.http.pages.page_contributions_and_rendering import PageContribution
from ledgerpress.http.pages.page_parts import PagePart, PageView

_FRONT_PAGE: Final = "/"
_LIST_PARAMETERS: Final = frozenset({"after", "before"})
"""The parameters that select a part of a list. Such a page changes with each new article, so it has no address."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """The metadata of a page. `properties` are those of Open Graph, in order; one may be repeated."""

    canonical: str | None
    properties: Sequence[tuple[str, str]]
    json_ld: str | None


def _place(view: PageView) -> str | None:
    return "head" if view.path and view.status == HTTPStatus.OK else None


def _values(view: PageView) -> Mapping[str, Any]:
    path = _current_path(view)
    canonical = None if path is None else view.pages.absolute_url(path)
    article = view.subject if isinstance(view.subject, ArticleContent) else None
    data = None
    if article is not None and canonical is not None and not view.moment.is_requested:
        data = json_ld(
            article,
            url=canonical,
            site_name=view.site_name,
            site_url=view.pages.absolute_url(_FRONT_PAGE),
            words=view.pages.words(view.moment.snapshot),
        )
    properties = [("og:type", "website" if article is None else "article"), *_properties(view, canonical)]
    if article is not None:
        properties.extend(_article_properties(view, article))
    return {"metadata": Metadata(canonical, properties, data)}


def _current_path(view: PageView) -> str | None:
    """Return the path of the current page, whatever the moment; `None` if the page has no permanent path."""
    if not _LIST_PARAMETERS.isdisjoint(view.request.query_params):
        return None
    today = view.moment.today
    match view.subject:
        case ArticleContent(record=record):
            article = article_queries.by_seq(today, record.seq)
            return article_href(article.slug) if article else None
        case Category(seq=seq):
            category = category_queries.by_seq(today, seq)
            return category_href(category.slug) if category else None
        case _:
            return view.path


def _properties(view: PageView, canonical: str | None) -> Sequence[tuple[str, str]]:
    title, description = view.site_name, None
    match view.subject:
        case ArticleContent() as article:
            title, description = article.title, article.teaser
        case Category() as category:
            title, description = category.name, category.description
        case _ if view.path == _FRONT_PAGE:
            description = site_description(view.moment.snapshot)
        case _:
            pass
    values = {
        "og:title": title,
        "og:description": description,
        "og:url": canonical,
        "og:site_name": view.site_name,
        "og:locale": _locale(view.language),
    }
    return [(name, value) for name, value in values.items() if value]


def _article_properties(view: PageView, article: ArticleContent) -> Sequence[tuple[str, str]]:
    properties = [("article:published_time", article.published.iso)]
    if article.changed.iso != article.published.iso:
        properties.append(("article:modified_time", article.changed.iso))
    properties.extend(("article:author", author.name) for author in article.authors)
    section = post_queries.main_category(view.moment.snapshot, article.record.seq)
    return [*properties, *([("article:section", section.name)] if section else [])]


def _locale(language: str) -> str | None:
    """Return a language as Open Graph writes it, such as `en_GB`: with the territory where most speakers live, if none."""
    likely = langcodes.Language.get(language).maximize()
    territory = likely.territory or ""
    return f"{likely.language}_{territory}" if territory.isalpha() else None


PAGES: Final = PageContribution(
    templates=Path(__file__).parent / "templates",
    parts=(PagePart(template="_metadata.html", place=_place, values=_values),),
)
