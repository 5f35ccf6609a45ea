"""The routes of feeds, sitemaps and robots.txt. They show what everyone may see, so they ignore tokens."""

import re
from collections.abc import Awaitable, Callable, Hashable, Sequence
from functools import partial
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from ledgerpress.features.feeds import feed_selection, sitemaps
from ledgerpress.features.feeds.as_of import PastNotPublic, as_of
from ledgerpress.features.feeds.atom import MEDIA_TYPE as ATOM
from ledgerpress.features.feeds.atom import atom
from ledgerpress.features.feeds.changes_projection import SITE
from ledgerpress.features.feeds.document_cache import DocumentCache, DocumentType, document_response
from ledgerpress.features.feeds.document_head import DocumentHead
from ledgerpress.features.feeds.entries import EntryWriter
from ledgerpress.features.feeds.feed_selection import Feed, FeedMoved, NoSuchFeed, Selection
from ledgerpress.features.feeds.json_feed import MEDIA_TYPE as JSON_FEED
from ledgerpress.features.feeds.json_feed import json_feed
from ledgerpress.features.feeds.sitemaps import NoSuchSitemap
from ledgerpress.features.site.queries import site_description, site_language, site_logo
from ledgerpress.http.feature_routes import RouteContext
from ledgerpress.http.pages.page_moment import InvalidMoment
from ledgerpress.views.filter_past_items_public_today import PublicFilter
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

_XML: Final = DocumentType("application/xml")
_TEXT: Final = DocumentType("text/plain")
_ARCHIVE: Final = re.compile("[0-9]{1,9}")
_PARAMETERS: Final = ("text", "archive", "asOf")
"""The parameters of feeds, in the order in which URLs have them. All others are ignored, such as those of campaigns."""


class _Format(NamedTuple):
    media_type: str
    write: Callable[[DocumentHead, Selection], bytes]


_FORMATS: Final = {"atom": _Format(ATOM, atom), "json": _Format(JSON_FEED, json_feed)}
_FindFeed: TypeAlias = Callable[[Snapshot, Snapshot], Feed]
"""Returns a feed as of a view. The second snapshot is that of today. Raises `NoSuchFeed` and `FeedMoved`."""
_WriteSitemap: TypeAlias = Callable[[Snapshot, int, str], bytes]
"""Returns a sitemap, for a snapshot, the current time, and the address of the site. Raises `NoSuchSitemap`."""


class _InvalidParameter(ValueError):
    """A parameter has a value that it cannot have. The message is shown to the client."""


class _FeedRequest(NamedTuple):
    """A request for a document of a feed, by its parameters."""

    format: str
    is_full: bool
    archive: int | None
    moment: str | None

    @classmethod
    def of(cls, request: Request) -> "_FeedRequest":
        """Raises `_InvalidParameter` and `NoSuchFeed`."""
        text, archive, moment = (request.query_params.get(name) for name in _PARAMETERS)
        if text not in (None, "full", "teaser"):
            raise _InvalidParameter("text must be full or teaser.")
        if archive is not None and not _ARCHIVE.fullmatch(archive):
            raise _InvalidParameter("archive must be the number of an archive: follow the links in the feed.")
        format_ = request.path_params["format"]
        if format_ not in _FORMATS:
            raise NoSuchFeed
        return cls(format_, text != "teaser", None if archive is None else int(archive), moment)

    def url(self, feed_url: str, archive: int | None) -> str:
        """Return the URL of a document of the same feed. `feed_url` is the URL without format and parameters."""
        values = (None if self.is_full else "teaser", archive, self.moment)
        query = urlencode({name: value for name, value in zip(_PARAMETERS, values, strict=True) if value})
        return f"{feed_url}.{self.format}" + (f"?{query}" if query else "")


def routes(context: RouteContext) -> Sequence[BaseRoute]:
    """Return the routes of the feature."""
    feeds = _Feeds(context)
    return [
        Route("/feeds/articles.{format}", feeds.articles),
        Route("/feeds/corrections.{format}", feeds.corrections),
        Route("/feeds/categories/{slug}.{format}", feeds.category),
        Route("/feeds/authors/{slug}.{format}", feeds.author),
        Route("/sitemap.xml", feeds.sitemap(sitemaps.index)),
        Route("/sitemap-pages.xml", feeds.sitemap(lambda today, _, base: sitemaps.pages(today, base))),
        Route("/sitemap-news.xml", feeds.sitemap(sitemaps.news)),
        Route("/sitemap-articles-{number:int}.xml", feeds.sitemap_of_articles),
        Route("/robots.txt", feeds.robots),
    ]


class _Feeds:
    """The documents of one store."""

    def __init__(self, context: RouteContext) -> None:
        self._context = context
        self._documents = DocumentCache(context.store)
        self._publication = context.store.log.publication

    async def articles(self, request: Request) -> Response:
        return self._feed(request, lambda _, __: feed_selection.all_articles(self._publication))

    async def corrections(self, request: Request) -> Response:
        return self._feed(request, lambda _, __: feed_selection.all_corrections(self._publication))

    async def category(self, request: Request) -> Response:
        slug = request.path_params["slug"]
        return self._feed(request, lambda view, _: feed_selection.of_category(view, slug))

    async def author(self, request: Request) -> Response:
        slug = request.path_params["slug"]
        declared = self._context.store.declared

        def find(view: Snapshot, today: Snapshot) -> Feed:
            return feed_selection.of_author(view, today, slug, lambda: PublicFilter(today, declared))

        return self._feed(request, find)

    def sitemap(self, write: _WriteSitemap) -> Callable[[Request], Awaitable[Response]]:
        """Return the endpoint of a sitemap."""

        async def endpoint(request: Request) -> Response:
            return self._sitemap(request, _XML, write)

        return endpoint

    async def sitemap_of_articles(self, request: Request) -> Response:
        number = request.path_params["number"]
        return self._sitemap(request, _XML, lambda today, _, base: sitemaps.articles(today, number, base))

    async def robots(self, request: Request) -> Response:
        return self._sitemap(request, _TEXT, lambda _, __, base: sitemaps.robots(base, urlsplit(base).path))

    def _sitemap(self, request: Request, type_: DocumentType, write: _WriteSitemap) -> Response:
        base = self._base(request)
        try:
            result = self._documents.get((request.url.path, base), lambda today, now: write(today, now, base))
        except NoSuchSitemap:
            return _message("There is no such sitemap. Those that exist are in /sitemap.xml.", 404)
        return document_response(request, result, type_)

    def _feed(self, request: Request, find: _FindFeed) -> Response:
        base = self._base(request)
        try:
            wanted = _FeedRequest.of(request)
            key: Hashable = (request.url.path, wanted, base)
            result = self._documents.get(key, partial(self._write, wanted, find, base))
        except (_InvalidParameter, InvalidMoment) as error:
            return _message(str(error), 400)
        except PastNotPublic:
            return _message("The past of this site is not public. Leave out asOf for the current feed.", 403)
        except NoSuchFeed:
            return _message("There is no such feed.", 404)
        except FeedMoved as moved:
            query = f"?{request.url.query}" if request.url.query else ""
            path = self._context.url(request, f"{moved}.{request.path_params['format']}{query}")
            return RedirectResponse(path, 301, {"Cache-Control": "no-cache"})
        type_ = DocumentType(_FORMATS[wanted.format].media_type, is_indexed=wanted.moment is None)
        return document_response(request, result, type_)

    def _write(self, wanted: _FeedRequest, find: _FindFeed, base: str, today: Snapshot, now: int) -> bytes:
        """Write a document of a feed. Raises `InvalidMoment`, `PastNotPublic`, `NoSuchFeed` and `FeedMoved`."""
        is_past_public = self._context.open_past
        view = today
        if wanted.moment is not None:
            view = as_of(today, wanted.moment, now=now, is_past_public=is_past_public)
        feed = find(view, today)
        names = view
        if wanted.archive is not None and is_past_public:
            # The names in an archive are those of then, like its entries.
            names = view.at(feed_selection.position_of_archive(view, feed.key, wanted.archive))
        writer = EntryWriter(today, base, wanted.is_full, self._context.words)
        selection = feed_selection.select(
            writer, view, feed.key, wanted.archive, is_past_public=is_past_public
        )
        url = partial(wanted.url, base + feed.path)
        previous, language = selection.archives.previous, site_language(names)
        logo = site_logo(names)
        head = DocumentHead(
            id=feed.id,
            title=feed.title(names, self._context.words(language)),
            site_name=feed_selection.site_name(names),
            language=language,
            page_url=base + feed.page,
            self_url=url(wanted.archive),
            current_url=url(None),
            previous_url=None if previous is None else url(previous),
            description=site_description(names) if feed.key == SITE else None,
            logo_url=None if logo is None else base + logo.url if logo.url.startswith("/") else logo.url,
        )
        return _FORMATS[wanted.format].write(head, selection)

    def _base(self, request: Request) -> str:
        """Return the address of the site, without a slash at its end."""
        return self._context.absolute_url(request, "")


def _message(text: str, status: int) -> Response:
    return PlainTextResponse(f"{text}\n", status, {"Cache-Control": "no-store"})
