"""The GraphiQL page, and pages for readers: features contribute them, and they work without JavaScript."""

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from inspect import isawaitable
from pathlib import Path
from typing import Any, Final, TypeAlias

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from ledgerpress.bounded_cache import BoundedCache
from ledgerpress.graphql.context import Store
from ledgerpress.http.pages.assets import Assets
from ledgerpress.http.pages.language_and_direction import (
    bdi,
    direction_of,
    english_attributes,
    english_words,
    isolated,
)
from ledgerpress.http.pages.other_path_spellings import PathSpelling
from ledgerpress.http.requests.url_prefix_and_route_path import url_prefix
from ledgerpress.http.responses import POSITION_HEADER
from ledgerpress.views.filter_past_items_public_today import PublicFilter
from ledgerpress.views.paging import BadPageRequest
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

# The body of an article may show images from other sites. Nothing else comes from other sites, and no script runs.
SITE_POLICY: Final = (
    "default-src 'self'; script-src 'none'; connect-src 'none'; img-src 'self' https: http:; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
FORM_POLICY: Final = SITE_POLICY.replace("form-action 'none'", "form-action 'self'")
"""The policy of a page with a form, which is sent to this site only."""
# GraphiQL's style sheet contains its fonts and small images. Its editor, Monaco, runs web workers, inserts style
# elements, to which explorer-environment.js adds the nonce, and writes style attributes. No other style is accepted.
GRAPHIQL_POLICY: Final = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self' 'nonce-{nonce}'; "
    "style-src-attr 'unsafe-inline'; img-src 'self' data:; font-src data:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


def page_headers(position: int, policy: str = SITE_POLICY) -> dict[str, str]:
    """Return the headers of a page that was read at a position of the log."""
    return {
        POSITION_HEADER: str(position),
        "Cache-Control": "no-cache",
        "Content-Security-Policy": policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "strict-origin-when-cross-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }


_TEMPLATES: Final = Path(__file__).parent / "templates"
_MAX_PREFIXES: Final = 16
"""How many prefixes have cached templates. An application has one prefix, unless its host mounts it by a pattern."""
_DEFAULT_NAME: Final = "LedgerPress"
"""The name of a site that has no name yet."""
_DEFAULT_LANGUAGE: Final = "en"
"""The language of a site if no feature provides one."""

PageHandler: TypeAlias = "Callable[[Pages, Snapshot, Request], Response | Awaitable[Response]]"
"""Returns a page that is read from a snapshot. A page that computes for long is awaited, and computes in a thread."""

LinksFor: TypeAlias = "Callable[[Pages, Snapshot, Any], Sequence[Link]]"
"""Returns the links that a feature adds at a place. The last argument is what the place is about, such as an article."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link to a page. `href` is the path of the page on this site, without the prefix."""

    name: str
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageContribution:
    """The pages that a feature adds, and its parts of other pages.

    `routes` are handlers by path, in the syntax of Starlette's routes. `templates` is the folder of their Jinja
    templates. Paths never contain the prefix under which the application is mounted: a template passes each path to
    `url(…)`, which adds the prefix, and each name of a file under `static/` to `asset(…)`.

    Text of users must not change the order of the text around it: a template shows it alone in a block with
    `dir="auto"`, or with the filter `bdi`, or in plain text with the filter `isolated`. A template marks its own English
    words as English on a page in another language: with `words(…)`, or with the attributes `{{ english }}` of an
    element that also contains other text.

    If a handler raises `BadPageRequest`, the response is the page for unknown addresses, with status 404. `site_name`,
    `site_language` (a BCP 47 tag) and `navigation` appear on every page. `links` are added to pages of features below, by
    place: `footer` is on every page, and a template names other places with `links("article", article)`. `examples`
    returns values for the example operations of GraphiQL, by the names of data attributes.
    """

    routes: Mapping[str, PageHandler] = field(default_factory=dict)
    templates: Path | None = None
    site_name: Callable[[Snapshot], str | None] | None = None
    site_language: Callable[[Snapshot], str | None] | None = None
    navigation: Callable[[Snapshot], Sequence[Link]] | None = None
    links: Mapping[str, LinksFor] = field(default_factory=dict)
    examples: Callable[[Snapshot], Mapping[str, str]] | None = None


def other_spellings(handlers: Mapping[str, PageHandler]) -> PageHandler:
    """Return the handler of all other paths: it redirects other spellings of the path of a page that exists."""
    spellings = [(PathSpelling(path), handler) for path, handler in handlers.items()]

    async def handle(pages: Pages, snapshot: Snapshot, request: Request) -> Response:
        for spelling, handler in spellings:
            match = spelling.match(request.path_params["path"])
            if match is None:
                continue
            renamed = Request({**request.scope, "path_params": match.parameters})
            page = await _complete(handler(pages, snapshot, renamed))
            # A page that knows a better path redirects to it.
            is_page = page.status_code == HTTPStatus.OK
            return pages.moved(snapshot, match.path, request.url.query) if is_page else page
        return pages.not_found(snapshot)

    return handle


async def _complete(page: Response | Awaitable[Response]) -> Response:
    return await page if isawaitable(page) else page


class Pages:
    """The pages of the site under a prefix. Each page is read from one snapshot and has its position in a header."""

    def __init__(
        self, store: Store, contributions: Sequence[PageContribution] = (), *, open_past: bool = False
    ) -> None:
        """Create pages without a prefix. `under` returns the pages for another prefix.

        With `open_past`, they may show the past of what is public today.
        """
        self._store = store
        self.open_past = open_past
        self._prefix = ""
        self._contributions = contributions
        self._assets = Assets()
        folders = [_TEMPLATES, *(part.templates for part in contributions if part.templates)]
        self._templates = Environment(
            loader=FileSystemLoader(folders),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals |= {"asset": self.asset, "url": self.url}
        self._templates.filters |= {"bdi": bdi, "isolated": isolated}
        self._by_prefix = BoundedCache[str, Pages](max_entries=_MAX_PREFIXES)

    def under(self, prefix: str) -> "Pages":
        """Return the same pages, with links that begin with `prefix` (see `url_prefix`)."""
        if prefix == self._prefix:
            return self
        pages = self._by_prefix.get(prefix)
        if pages is None:
            pages = copy(self)
            pages._prefix = prefix
            # A template that another one imports sees only the globals of its environment.
            pages._templates = self._templates.overlay()
            pages._templates.globals = {**self._templates.globals, "asset": pages.asset, "url": pages.url}
            self._by_prefix.put(prefix, pages)
        return pages

    def url(self, path: str) -> str:
        """Return the URL of a path of this site. The path begins with a slash."""
        return self._prefix + path

    def asset(self, name: str) -> str:
        """Return the URL of a file under `static/`. Raises `KeyError`."""
        return self.url(self._assets.path(name))

    def routes(self) -> list[BaseRoute]:
        """Return the routes of the pages. They must come after all others, since the last one matches every path."""
        handlers = [route for part in self._contributions for route in part.routes.items()]
        return [
            *(Route(path, self._endpoint(handler)) for path, handler in handlers),
            Route("/static/{path:path}", self._assets.serve),
            Route("/{path:path}", self._endpoint(other_spellings(dict(handlers)))),
        ]

    @property
    def now(self) -> int:
        """The current time, for ages on pages, in microseconds since 1970, UTC."""
        return self._store.clock.now()

    @property
    def public_history(self) -> bool:
        """Whether everyone may read the published revisions of articles."""
        return self._store.public_history

    @property
    def publication(self) -> str:
        """The id of the publication."""
        return self._store.log.publication

    def as_of(self, snapshot: Snapshot, position: int) -> Snapshot:
        """Return a snapshot as of an earlier position, with only what is public as of `snapshot`."""
        return snapshot.at(position, PublicFilter(snapshot, self._store.declared))

    def links(self, snapshot: Snapshot, place: str, subject: object = None) -> list[Link]:
        """Return the links that features add at a place, which is about `subject`."""
        added = (part.links[place] for part in self._contributions if place in part.links)
        return [link for links_for in added for link in links_for(self, snapshot, subject)]

    async def graphiql(self, request: Request) -> Response:
        """Return the page with GraphiQL."""
        pages = self.under(url_prefix(request.scope))
        with self._store.snapshot() as snapshot:
            examples: dict[str, str] = {}
            for part in self._contributions:
                examples.update(part.examples(snapshot) if part.examples else {})
            nonce = secrets.token_urlsafe(16)
            policy = GRAPHIQL_POLICY.format(nonce=nonce)
            page = pages.page(snapshot, "graphiql.html", policy=policy, nonce=nonce, examples=examples)
        page.headers["Vary"] = "Accept"
        return page

    def page(
        self,
        snapshot: Snapshot,
        template: str,
        *,
        status: int = 200,
        policy: str = SITE_POLICY,
        **values: Any,
    ) -> Response:
        """Return a page, rendered from a template with values."""
        language = self._site_language(snapshot)
        html = self._templates.get_template(template).render(
            site_name=self._site_name(snapshot),
            language=language,
            direction=direction_of(language),
            words=partial(english_words, language=language),
            english=english_attributes(language),
            navigation=self._navigation(snapshot),
            links=partial(self.links, snapshot),
            position=snapshot.position,
            **values,
        )
        return HTMLResponse(html, status_code=status, headers=page_headers(snapshot.position, policy))

    def not_found(self, snapshot: Snapshot) -> Response:
        """Return the page for unknown addresses, with status 404."""
        return self.page(snapshot, "missing.html", status=404)

    def moved(self, snapshot: Snapshot, path: str, query: str = "") -> Response:
        """Return a redirect to the current path of a page, with the query of the request."""
        # Browsers must revalidate it ("no-cache"): if a former slug became current again, redirects would form a loop.
        return RedirectResponse(
            self.url(path) + (f"?{query}" if query else ""),
            status_code=301,
            headers=page_headers(snapshot.position),
        )

    def _endpoint(self, handler: PageHandler) -> Any:
        async def endpoint(request: Request) -> Response:
            pages = self.under(url_prefix(request.scope))
            with self._store.snapshot() as snapshot:
                try:
                    return await _complete(handler(pages, snapshot, request))
                except BadPageRequest:
                    return pages.not_found(snapshot)

        return endpoint

    def _site_name(self, snapshot: Snapshot) -> str:
        names = (part.site_name(snapshot) for part in self._contributions if part.site_name)
        return next((name for name in names if name), _DEFAULT_NAME)

    def _site_language(self, snapshot: Snapshot) -> str:
        languages = (part.site_language(snapshot) for part in self._contributions if part.site_language)
        return next((language for language in languages if language), _DEFAULT_LANGUAGE)

    def _navigation(self, snapshot: Snapshot) -> list[Link]:
        return [link for part in self._contributions if part.navigation for link in part.navigation(snapshot)]
