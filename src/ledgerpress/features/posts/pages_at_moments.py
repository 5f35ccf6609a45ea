"""The article or the category that the address of a page leads to as of a moment."""

from ledgerpress.features.categories import queries as category_queries
from ledgerpress.features.posts import article_queries
from ledgerpress.features.slugs.model import spellings
from ledgerpress.http.pages.page_moment import PageMoment
from ledgerpress.views.snapshot_and_cache_dependencies import NO_POSITION


def article_at(moment: PageMoment, slug: str) -> article_queries.Article | None:
    """Return the article that a slug leads to at a moment.

    A slug that led to no article then leads to the article that has it today, as that article was then.
    """
    article = None
    for spelling in spellings(slug):
        article = article or article_queries.by_slug(moment.snapshot, spelling)
    if article is None and moment.is_requested:
        today = article_today(moment, slug)
        article = article_queries.by_seq(moment.snapshot, today.seq if today else NO_POSITION)
    return article


def article_today(moment: PageMoment, slug: str) -> article_queries.Article | None:
    """Return the article that a slug leads to today."""
    articles = (article_queries.by_slug(moment.today, spelling) for spelling in spellings(slug))
    return next(filter(None, articles), None)


def was_public(moment: PageMoment, slug: str) -> bool:
    """Return whether a slug ever led to an article, also if that is not public today."""
    return any(article_queries.has_led_to_article(moment.today, spelling) for spelling in spellings(slug))


def category_at(moment: PageMoment, slug: str) -> category_queries.Category | None:
    """Return the category that a slug leads to at a moment, or the category that has it today, as it was then."""
    category = None
    for spelling in spellings(slug):
        category = category or category_queries.by_slug(moment.snapshot, spelling)
    if category is None and moment.is_requested:
        today = category_today(moment, slug)
        category = category_queries.by_seq(moment.snapshot, today.seq) if today else None
    return category


def category_today(moment: PageMoment, slug: str) -> category_queries.Category | None:
    """Return the category that a slug leads to today."""
    categories = (category_queries.by_slug(moment.today, spelling) for spelling in spellings(slug))
    return next(filter(None, categories), None)
