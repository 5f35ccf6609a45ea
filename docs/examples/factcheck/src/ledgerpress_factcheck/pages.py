"""The page of the checked articles."""

from pathlib import Path
from typing import Final

from ledgerpress.feature.pages import Link, PageContribution, Pages, Request, Response, Snapshot
from ledgerpress.features.posts.html_pages import article_list
from ledgerpress_factcheck.projection import listing_keys


def checked_articles(pages: Pages, snapshot: Snapshot, request: Request) -> Response:
    keys, cursor = listing_keys(snapshot), request.query_params.get("after")
    cards = article_list(snapshot, keys, pages.now, after=cursor, before=None).cards if keys else []
    return pages.page(snapshot, "x_factcheck.html", cards=cards)


PAGES: Final = PageContribution(
    routes={"/factchecks": checked_articles},
    templates=Path(__file__).parent / "templates",
    navigation=lambda _: [Link("Fact checks", "/factchecks")],
)
