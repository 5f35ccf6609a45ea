"""The targets of the menu's items as of a snapshot, and the paths that lead to them."""

from collections.abc import Iterator
from typing import NamedTuple

from ledgerpress.features.categories import queries as categories
from ledgerpress.features.categories.pages import category_href
from ledgerpress.features.site_pages import queries
from ledgerpress.features.site_pages.menu_model import MenuItem, TargetKind
from ledgerpress.features.site_pages.menu_projector_and_queries import menu
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot


class ResolvedItem(NamedTuple):
    """An item with its target. `href` is a path on the site or an https URL, `None` if the target is not public."""

    item: MenuItem
    page: queries.PublicPage | None
    category: categories.Category | None
    href: str | None


def resolved_items(snapshot: Snapshot) -> tuple[ResolvedItem, ...]:
    """Return the items of the menu with their targets, also those whose target is not public."""
    return snapshot.once(("menu",), lambda snapshot: tuple(_resolved(snapshot)))


def _resolved(snapshot: Snapshot) -> Iterator[ResolvedItem]:
    for item in menu(snapshot).items:
        page = category = href = None
        if item.kind is TargetKind.PAGE:
            page = queries.public_by_id(snapshot, item.target)
            href = queries.page_href(page.slug) if page else None
        elif item.kind is TargetKind.CATEGORY:
            category = categories.by_id(snapshot, item.target)
            href = category_href(category.slug) if category else None
        else:
            href = item.target
        yield ResolvedItem(item, page, category, href)
