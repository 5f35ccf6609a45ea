"""Categories on HTML pages: links, the tree, and the navigation at the top of every page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from ledgerpress.features.categories import queries
from ledgerpress.http.pages.link import Link
from ledgerpress.http.pages.page_contributions_and_rendering import PageContribution
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

ROOT: Final = 0
_MAX_MAIN_CATEGORIES: Final = 8


@dataclass(frozen=True, slots=True)
class Branch:
    """A category with its subcategories. `count` includes the articles in the subcategories."""

    name: str
    href: str
    count: int
    children: "Sequence[Branch]"


def category_href(slug: str) -> str:
    return f"/categories/{quote(slug)}"


def category_link(category: queries.Category) -> Link:
    return Link(category.name, category_href(category.slug))


def category_tree(snapshot: Snapshot, below: int = ROOT) -> list[Branch]:
    """Return the tree below the category with the key `below`, or the whole tree for `ROOT`."""
    return [
        Branch(
            name=category.name,
            href=category_href(category.slug),
            count=queries.count_articles(snapshot, category, descend=True),
            children=category_tree(snapshot, category.seq),
        )
        for category in queries.children(snapshot, below)
    ]


def _main_categories(snapshot: Snapshot) -> list[Link]:
    """Return the first top-level categories, sorted by name, as many as fit at the top of a page."""
    return [category_link(category) for category in queries.children(snapshot, ROOT)[:_MAX_MAIN_CATEGORIES]]


PAGES: Final = PageContribution(navigation=_main_categories)
