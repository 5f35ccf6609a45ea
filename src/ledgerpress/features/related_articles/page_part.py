"""The end of the page of an article: related articles, and the articles before and after it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ledgerpress.features.categories.category_links_on_pages import category_link
from ledgerpress.features.posts import EVERY_ARTICLE
from ledgerpress.features.posts.article_queries import Article
from ledgerpress.features.posts.pages import ArticleContent, Moment, article_href, moment
from ledgerpress.features.related_articles.queries import (
    listing_of,
    next_article,
    previous_article,
    related_articles,
)
from ledgerpress.features.site.queries import site_tzinfo
from ledgerpress.http.pages.page_contributions_and_rendering import PageContribution
from ledgerpress.http.pages.page_parts import PagePart, PageView

_SHOWN: Final = 4


@dataclass(frozen=True, slots=True)
class OtherArticle:
    """An article to which a page links."""

    title: str
    href: str
    published: Moment


def _place(view: PageView) -> str | None:
    return "article" if isinstance(view.subject, ArticleContent) else None


def _values(view: PageView) -> Mapping[str, Any]:
    article = view.subject.record if isinstance(view.subject, ArticleContent) else None
    if article is None:
        return {}
    snapshot = view.moment.snapshot
    zone = site_tzinfo(snapshot)

    def shown(other: Article) -> OtherArticle:
        href = article_href(other.slug)
        # A withdrawn title is empty.
        return OtherArticle(other.title or href, href, moment(other.published_at, view.moment.time, zone))

    related = related_articles(snapshot, article, _SHOWN)
    category, ks = listing_of(snapshot, article)
    previous, following = previous_article(snapshot, article, ks), next_article(snapshot, article, ks)
    if not (related or previous or following):
        # The article is alone in its category: no page ends without a way on.
        category, ks = None, [EVERY_ARTICLE]
        previous, following = previous_article(snapshot, article, ks), next_article(snapshot, article, ks)
    return {
        "related": [shown(other) for other in related],
        "category": category_link(category) if category else None,
        "previous": shown(previous) if previous else None,
        "next": shown(following) if following else None,
    }


PAGES: Final = PageContribution(
    templates=Path(__file__).parent / "templates",
    parts=(PagePart(template="_related_articles.html", place=_place, values=_values),),
)
