"""Sitemaps (https://www.sitemaps.org/protocol.html), an index of them, a news sitemap, and robots.txt."""

from collections.abc import Iterator
from typing import Final

from ledgerpress.features.authors import queries as authors
from ledgerpress.features.authors.pages import author_href
from ledgerpress.features.categories import queries as categories
from ledgerpress.features.categories.category_links_on_pages import category_href
from ledgerpress.features.feeds import change_queries
from ledgerpress.features.feeds.changes_projection import SITE, SITEMAP_SIZE, Kind
from ledgerpress.features.feeds.feed_selection import site_name
from ledgerpress.features.feeds.xml_writer import Xml, document, element
from ledgerpress.features.posts import EVERY_ARTICLE, article_queries
from ledgerpress.features.posts.pages import article_href
from ledgerpress.features.site import queries as site
from ledgerpress.features.site_pages import queries as site_pages
from ledgerpress.graphql.scalars import iso_time
from ledgerpress.views.listings.queries import list_keys, listing_topic
from ledgerpress.views.recorded_time_positions import corrected_sql
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

NEWS_AGE: Final = 2 * 86_400_000_000
"""Articles in the news sitemap are at most two days old, in microseconds."""
MAX_NEWS: Final = 1_000
_MAX_PAGES: Final = 50_000
"""The greatest number of addresses that a sitemap may have."""
_SITEMAPS: Final = "http://www.sitemaps.org/schemas/sitemap/0.9"
_NEWS: Final = "http://www.google.com/schemas/sitemap-news/0.9"
_REVISED: Final = f"""
    SELECT max({corrected_sql("recorded_at", "feed_change.position", "?1")}) FROM feed_change
    WHERE feed = {SITE} AND item = seq AND kind = {Kind.REVISED:d} AND +position <= ?1
"""  # noqa: S608
_ARTICLES: Final = f"""
    SELECT content.slug, max(
        {corrected_sql("published_at", "dated_by", "?1")},
        coalesce({corrected_sql("republished_at", "from_pos", "?1")}, {-(2**63)}),
        coalesce(({_REVISED}), {-(2**63)})
    )
    FROM sitemap_article JOIN article USING (seq) JOIN content ON content.position = article.content
    WHERE number > ?2 AND number <= ?3 AND from_pos <= ?1 AND to_pos > ?1 AND title <> ''
    ORDER BY number
"""  # noqa: S608
_LAST_PART: Final = "SELECT max(part) FROM sitemap_change WHERE position <= ?"
_CHANGED: Final = f"""
    SELECT {corrected_sql("recorded_at", "sitemap_change.position", "?1")} FROM sitemap_change
    WHERE part = ?2 AND position <= ?1 ORDER BY position DESC LIMIT 1
"""  # noqa: S608


class NoSuchSitemap(Exception):
    """There is no such sitemap, or it would be empty: a sitemap has at least one URL."""


def index(today: Snapshot, now: int, base: str) -> bytes:
    """Return the index of all sitemaps that are not empty."""
    return document("sitemapindex", _index(today, now, base), {"": _SITEMAPS})


def _index(today: Snapshot, now: int, base: str) -> Iterator[Xml]:
    yield element("sitemap", element("loc", f"{base}/sitemap-pages.xml"))
    if _news(today, now):
        yield element("sitemap", element("loc", f"{base}/sitemap-news.xml"))
    db = today.about(change_queries.feed_topic(SITE))
    (last,) = db.execute(_LAST_PART, (today.position,)).fetchone()
    for part in range(0 if last is None else last + 1):
        changed = db.execute(_CHANGED, (today.position, part)).fetchone()
        if changed and _articles(today, part, limit=1):
            location = element("loc", f"{base}/sitemap-articles-{part + 1}.xml")
            yield element("sitemap", location, element("lastmod", iso_time(changed[0])))


def articles(today: Snapshot, number: int, base: str) -> bytes:
    """Return a sitemap of articles. The sitemap of an article never changes. Raises `NoSuchSitemap`."""
    today.about(change_queries.sitemap_topic(number - 1))
    rows = _articles(today, number - 1)
    if not rows:
        raise NoSuchSitemap
    urls = (_url(base + article_href(slug), updated) for slug, updated in rows)
    return document("urlset", urls, {"": _SITEMAPS})


def _articles(today: Snapshot, part: int, limit: int = SITEMAP_SIZE) -> list[tuple[str, int]]:
    """Return the slugs of the articles in a sitemap, with the times of their last changes."""
    first = part * SITEMAP_SIZE
    query = f"{_ARTICLES} LIMIT {limit}"
    return today.about().execute(query, (today.position, first, first + SITEMAP_SIZE)).fetchall()


def pages(today: Snapshot, base: str) -> bytes:
    """Return a sitemap of the front page, of site pages, and of the pages of categories and authors."""
    pages = site_pages.public_pages(today, limit=_MAX_PAGES // 2)
    urls = [_url(f"{base}/")]
    urls += [_url(base + site_pages.page_href(page.slug), page.updated_at) for page in pages if page.title]
    urls += [
        _url(base + category_href(category.slug))
        for category in categories.categories_after(today, 0, _MAX_PAGES - len(urls))
    ]
    public_authors = authors.public_authors_after(today, 0, _MAX_PAGES - len(urls))
    urls += [_url(base + author_href(author.slug)) for author in public_authors if author.name]
    return document("urlset", urls, {"": _SITEMAPS})


def news(today: Snapshot, now: int, base: str) -> bytes:
    """Return the sitemap of the articles of the last two days. Raises `NoSuchSitemap` if there are none."""
    newest = _news(today, now)
    if not newest:
        raise NoSuchSitemap
    publication = element(
        "news:publication",
        element("news:name", site_name(today)),
        element("news:language", _news_language(site.site_language(today))),
    )
    urls = (
        _url(
            base + article_href(article.slug),
            extra=element(
                "news:news",
                publication,
                element("news:publication_date", iso_time(article.published_at)),
                element("news:title", article.title),
            ),
        )
        for article in newest
    )
    return document("urlset", urls, {"": _SITEMAPS, "news": _NEWS})


def _news(today: Snapshot, now: int) -> list[article_queries.Article]:
    """Return the articles that were published in the last two days, the newest first."""
    db = today.about(listing_topic(EVERY_ARTICLE))
    keys = list_keys(db, [EVERY_ARTICLE], today.position, limit=MAX_NEWS)
    dates = [key.published_at for key in keys if now - key.published_at <= NEWS_AGE]
    if today.reads is not None:
        oldest = min(dates, default=None)
        today.reads.within(since=now, **({} if oldest is None else {"until": oldest + NEWS_AGE + 1}))
    newest = article_queries.by_seqs(today, [key.post for key in keys[: len(dates)]])
    return [article for article in newest if article and article.title]


def robots(base: str, prefix: str) -> bytes:
    """Return `robots.txt`. `prefix` is that of all paths of the site."""
    return f"User-agent: *\nDisallow: {prefix}/graphql\n\nSitemap: {base}/sitemap.xml\n".encode()


def _url(location: str, updated: int | None = None, extra: Xml | None = None) -> Xml:
    lastmod = [] if updated is None else [element("lastmod", iso_time(updated))]
    return element("url", element("loc", location), *lastmod, *([] if extra is None else [extra]))


def _news_language(tag: str) -> str:
    """Return the language of a news sitemap: a code of ISO 639, except for Chinese."""
    primary, *subtags = tag.lower().split("-")
    if primary != "zh":
        return primary
    return "zh-tw" if {"hant", "tw", "hk", "mo"} & set(subtags) else "zh-cn"
