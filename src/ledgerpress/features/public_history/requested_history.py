"""The addresses of the pages of a history: their paths, and the article and the numbers that a path names."""

from http import HTTPStatus
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from ledgerpress.features.posts import article_queries
from ledgerpress.features.posts.pages import article_href, article_missing
from ledgerpress.features.posts.pages_at_moments import article_at
from ledgerpress.features.public_history import revision_queries
from ledgerpress.http.pages.page_contributions_and_rendering import Pages
from ledgerpress.views.paging import BadPageRequest
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

_MAX_DIGITS: Final = 15


def history_href(slug: str, number: int | None = None) -> str:
    """Return the path of the history of an article, or of one of its published revisions."""
    return f"{article_href(slug)}/history" + ("" if number is None else f"/{number}")


def change_href(article: article_queries.Article, number: int) -> str | None:
    """Return the path of the page that shows what a published revision changed; `None` for the first one."""
    return history_href(article.slug, number) if number > 1 else None


def requested_article(
    pages: Pages, snapshot: Snapshot, request: Request, rest: str = ""
) -> article_queries.Article | Response:
    """Return the article that the path names, or the response to a request for another path or a closed history.

    `rest` is the path after that of the history. The response for a closed history is the same for every article.
    """
    if not pages.public_history:
        return pages.page(snapshot, "history_closed.html", status=HTTPStatus.FORBIDDEN)
    slug = request.path_params["slug"]
    article = article_at(pages.moment, slug)
    if article is None:
        return article_missing(pages, snapshot, slug)
    if article.slug != slug:
        return pages.moved(snapshot, history_href(article.slug) + rest, request.url.query)
    return article


def public_title(snapshot: Snapshot, article: article_queries.Article) -> str:
    """Return the title of an article as last published, or its path if that was withdrawn.

    After a withdrawal, the article itself may have the title of a draft.
    """
    return revision_queries.last_title(snapshot, article.id) or article_href(article.slug)


def number_in(text: str) -> int | None:
    """Return the number that a part of an address is, `None` if it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else None


def requested_number(text: Any, default: int | None = None) -> int:
    """Return a number in an address. Raises `BadPageRequest` if it is none."""
    if text is None and default is not None:
        return default
    number = number_in(text) if isinstance(text, str) else None
    if number is None:
        raise BadPageRequest("The address needs a number.")
    return number
