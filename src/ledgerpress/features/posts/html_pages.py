"""The pages of articles: the front page, an article, and the articles of a category."""

from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ledgerpress.features.categories import queries as category_queries
from ledgerpress.features.categories.html_navigation import category_href, category_link, category_tree
from ledgerpress.features.posts import article_queries
from ledgerpress.features.posts.html_page_models import (
    ArticleList,
    article_content,
    article_href,
    article_list,
)
from ledgerpress.features.posts.listings import EVERY_ARTICLE
from ledgerpress.graphql.relay import global_ids
from ledgerpress.http.pages.pages import PageContribution, Pages
from ledgerpress.views.paging import BadPageRequest, PageRequest, page_of
from ledgerpress.views.snapshot import Snapshot


def _front(pages: Pages, snapshot: Snapshot, request: Request) -> Response:
    try:
        listing = _listing(pages, snapshot, [EVERY_ARTICLE], request)
    except BadPageRequest:
        return pages.not_found(snapshot)
    return pages.page(
        snapshot,
        "front.html",
        listing=listing,
        tree=category_tree(snapshot),
        is_first=not request.query_params,
    )


def _article(pages: Pages, snapshot: Snapshot, request: Request) -> Response:
    slug = request.path_params["slug"]
    article = article_queries.by_slug(snapshot, slug)
    if article is None:
        return pages.not_found(snapshot)
    if article.slug != slug:
        return pages.moved(snapshot, article_href(article.slug))
    content = article_content(snapshot, article, pages.now)
    return pages.page(snapshot, "article.html", article=content)


def _category(pages: Pages, snapshot: Snapshot, request: Request) -> Response:
    slug = request.path_params["slug"]
    category = category_queries.by_slug(snapshot, slug)
    if category is None:
        return pages.not_found(snapshot)
    if category.slug != slug:
        return pages.moved(snapshot, category_href(category.slug))
    try:
        keys = category_queries.listing_keys(snapshot, category, descend=True)
        listing = _listing(pages, snapshot, keys, request)
    except BadPageRequest:
        return pages.not_found(snapshot)
    return pages.page(
        snapshot,
        "category.html",
        category=category,
        count=category_queries.count_articles(snapshot, category, descend=True),
        ancestors=[category_link(above) for above in category_queries.ancestors(snapshot, category)],
        children=category_tree(snapshot, category.seq),
        listing=listing,
    )


def _listing(pages: Pages, snapshot: Snapshot, ks: list[int], request: Request) -> ArticleList:
    parameters = request.query_params
    return article_list(
        snapshot, ks, pages.now, after=parameters.get("after"), before=parameters.get("before")
    )


def _examples(snapshot: Snapshot) -> dict[str, str]:
    """Return the slug and the id of the newest article, so that GraphiQL's examples have an answer.

    The page is the same for everyone, so it has only what readers see: no version, which drafts change too.
    """
    newest = page_of(snapshot, [EVERY_ARTICLE], PageRequest(first=1)).entries
    article = article_queries.by_seq(snapshot, newest[0].post) if newest else None
    return {"slug": article.slug, "post": global_ids.encode("Article", article.id)} if article else {}


PAGES: Final = PageContribution(
    routes={"/": _front, "/articles/{slug}": _article, "/categories/{slug}": _category},
    templates=Path(__file__).parent / "templates",
    examples=_examples,
)
