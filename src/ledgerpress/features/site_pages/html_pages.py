"""Site pages and the menu, as readers see them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ledgerpress.features.posts.body.html_rendering_and_sections import render, teaser_of
from ledgerpress.features.posts.pages import moment
from ledgerpress.features.site.queries import site_tzinfo
from ledgerpress.features.site_pages import queries
from ledgerpress.features.site_pages.menu_model import MenuPlace
from ledgerpress.features.site_pages.menu_targets import resolved_items
from ledgerpress.features.site_pages.page_changes import changes_of_page, page_at
from ledgerpress.http.pages.conditional_requests import revalidated
from ledgerpress.http.pages.link import Link
from ledgerpress.http.pages.page_contributions_and_rendering import LinksFor, PageContribution, Pages
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot


def _page(pages: Pages, snapshot: Snapshot, request: Request) -> Response:
    slug = request.path_params["slug"]
    page = page_at(pages.moment, slug)
    if page is None:
        return pages.not_found(snapshot)
    if page.slug != slug:
        return pages.moved(snapshot, queries.page_href(page.slug), request.url.query)
    markdown = queries.markdown(snapshot, page.body)
    response = pages.page(
        snapshot,
        "site_page.html",
        path=queries.page_href(page.slug),
        title=page.title,
        description=teaser_of(markdown, page.body),
        body=pages.body(render(markdown, page.body).html),
        updated=moment(page.updated_at, pages.now, site_tzinfo(snapshot)),
    )
    return revalidated(request, response)


def _menu_at(place: MenuPlace) -> LinksFor:
    """Return the links of the items at a place of a page, without those whose targets are not public."""

    def links(_: Pages, snapshot: Snapshot, __: object) -> Sequence[Link]:
        return [
            Link(resolved.item.label, resolved.href)
            for resolved in resolved_items(snapshot)
            if resolved.item.place is place and resolved.href is not None
        ]

    return links


PAGES: Final = PageContribution(
    routes={"/pages/{slug}": _page},
    changes={"/pages/{slug}": changes_of_page},
    links={"menu": _menu_at(MenuPlace.HEADER), "footer menu": _menu_at(MenuPlace.FOOTER)},
    templates=Path(__file__).parent / "templates",
)
