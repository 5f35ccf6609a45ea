"""The page of an author: the name, and the author's articles, newest first.

An author has a page while an article of the author is public.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ledgerpress.features.authors import queries as authors
from ledgerpress.features.authors.pages import author_href, has_page
from ledgerpress.features.posts import article_queries
from ledgerpress.features.posts.pages import PAGE_SIZE, article_list
from ledgerpress.features.slugs.model import spellings
from ledgerpress.http.pages.page_contributions_and_rendering import PageContribution, Pages
from ledgerpress.http.pages.page_moment import PageChanges, PageMoment
from ledgerpress.views.first_page_changes import FirstPageChanges, has_recorded_change_of
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot


def author_at(moment: PageMoment, slug: str) -> authors.Author | None:
    """Return the author whose page a slug leads to at a moment.

    A slug that led to no page then leads to the author who has it today, as that author was then.
    """
    author = _with_page(moment, moment.snapshot, slug)
    if author is None and moment.is_requested:
        today = author_today(moment, slug)
        then = authors.author(moment.snapshot, today.id) if today else None
        author = then if then and has_page(moment.snapshot, then) else None
    return author


def author_today(moment: PageMoment, slug: str) -> authors.Author | None:
    """Return the author whose page a slug leads to today."""
    return _with_page(moment, moment.today, slug)


def _with_page(moment: PageMoment, snapshot: Snapshot, slug: str) -> authors.Author | None:
    matches = (
        authors.public_by_slug(snapshot, spelling, lambda: moment.public) for spelling in spellings(slug)
    )
    return next((author for author in matches if author and author.name), None)


def author_page_changes(moment: PageMoment, parameters: Mapping[str, str]) -> PageChanges | None:
    """Return the changes of the newest articles of an author, and of the name while the author had a page."""
    slug = parameters["slug"]
    author = author_at(moment, slug) or author_today(moment, slug)
    if author is None:
        return None
    today, public, k = moment.today, moment.public, author.seq
    renamed = [
        position
        for position in authors.name_changes(today, k)
        if authors.is_public_author(today.at(position, only=public), k)
    ]
    return FirstPageChanges(
        key=("author page", k),
        today=today,
        public=public,
        hidden=public.hidden,
        ks=(k,),
        ks_at=lambda _: (k,),
        size=PAGE_SIZE,
        others=renamed,
        is_exact=not has_recorded_change_of(today, k, public.hidden),
    )


def _author(pages: Pages, snapshot: Snapshot, request: Request) -> Response:
    slug = request.path_params["slug"]
    author = author_at(pages.moment, slug)
    if author is None:
        return pages.not_found(snapshot)
    if author.slug != slug:
        return pages.moved(snapshot, author_href(author.slug), request.url.query)
    parameters = request.query_params
    listing = article_list(
        snapshot, [author.seq], pages.now, after=parameters.get("after"), before=parameters.get("before")
    )
    return pages.page(
        snapshot,
        "author.html",
        path=author_href(author.slug),
        author=author,
        count=article_queries.count_articles(snapshot, author.seq),
        listing=listing,
    )


PAGES: Final = PageContribution(
    routes={"/authors/{slug}": _author},
    changes={"/authors/{slug}": author_page_changes},
    templates=Path(__file__).parent / "templates",
)
