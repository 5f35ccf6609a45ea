"""Links to feeds in the heads of pages, by which programs discover the feeds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from ledgerpress.features.authors import queries as authors
from ledgerpress.features.authors.pages import author_href
from ledgerpress.features.categories import queries as categories
from ledgerpress.features.categories.category_links_on_pages import category_href
from ledgerpress.features.feeds.atom import MEDIA_TYPE as ATOM
from ledgerpress.features.feeds.feed_selection import (
    ARTICLES_PATH,
    CORRECTIONS_PATH,
    CORRECTIONS_TITLE,
    author_feed_path,
    category_feed_path,
    site_name,
)
from ledgerpress.features.feeds.json_feed import MEDIA_TYPE as JSON_FEED
from ledgerpress.http.pages.interface_texts.words import Text
from ledgerpress.http.pages.link import Link
from ledgerpress.http.pages.page_contributions_and_rendering import PageContribution, Pages
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

_CATEGORIES: Final = category_href("")
_AUTHORS: Final = author_href("")
_FORMATS: Final = ((Text("Atom feed"), "atom", ATOM), (Text("JSON feed"), "json", JSON_FEED))


def _links(pages: Pages, snapshot: Snapshot, path: str) -> Sequence[Link]:
    """Return the links to the feeds of the site, after those of the category or the author whose page is at `path`."""
    name = site_name(snapshot)
    corrections = pages.words(snapshot).text(CORRECTIONS_TITLE)
    feeds = [(name, ARTICLES_PATH), (f"{corrections} · {name}", CORRECTIONS_PATH)]
    if path.startswith(_CATEGORIES):
        category = categories.by_slug(snapshot, unquote(path.removeprefix(_CATEGORIES)))
        if category is not None:
            feeds.insert(0, (f"{category.name} · {name}", category_feed_path(category.slug)))
    elif path.startswith(_AUTHORS):
        author = authors.by_slug(snapshot, unquote(path.removeprefix(_AUTHORS)))
        if author is not None:
            feeds.insert(0, (f"{author.name} · {name}", author_feed_path(author.slug)))
    return [
        Link(title, f"{feed}.{format_}", media_type)
        for title, feed in feeds
        for _, format_, media_type in _FORMATS
    ]


def _links_of_author(_: Pages, __: Snapshot, author: Any) -> Sequence[Link]:
    """Return the links to the feeds of an author, for readers."""
    if not isinstance(author, authors.Author):
        return []
    return _links_of(author_feed_path(author.slug))


def _links_of_category(_: Pages, __: Snapshot, category: Any) -> Sequence[Link]:
    """Return the links to the feeds of a category, for readers."""
    if not isinstance(category, categories.Category):
        return []
    return _links_of(category_feed_path(category.slug))


def _links_of(feed: str) -> Sequence[Link]:
    return [Link(name, f"{feed}.{format_}", media_type) for name, format_, media_type in _FORMATS]


PAGES: Final = PageContribution(
    links={"head": _links, "author": _links_of_author, "category": _links_of_category},
    translations=Path(__file__).parent / "translations",
)
