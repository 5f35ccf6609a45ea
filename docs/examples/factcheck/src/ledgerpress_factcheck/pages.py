"""The page that lists the checked articles."""

from pathlib import Path
from typing import Final

from ledgerpress.feature.pages import Link, PageContribution, Pages, Request, Response, Snapshot, Text
from ledgerpress.features.posts.pages import article_list
from ledgerpress_factcheck.projection import LISTINGS


def checked_articles(pages: Pages, snapshot: Snapshot, request: Request) -> Response:
    after = request.query_params.get("after")
    listing = article_list(snapshot, [LISTINGS.key(snapshot)], pages.now, after=after, before=None)
    return pages.page(snapshot, "x_factcheck.html", cards=listing.cards)


PAGES: Final = PageContribution(
    routes={"/factchecks": checked_articles},
    templates=Path(__file__).parent / "templates",
    navigation=lambda _: [Link(Text("Fact checks"), "/factchecks")],
)
