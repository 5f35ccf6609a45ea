"""The GraphiQL page, and pages for readers: features contribute them, and they work without JavaScript."""

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from ledgerpress.bounded_cache import BoundedCache
from ledgerpress.graphql.context import Store
from ledgerpress.http.pages.assets import Assets
from ledgerpress.http.pages.conditional_requests import revalidated
from ledgerpress.http.pages.interface_texts.translations import translations_of
from ledgerpress.http.pages.interface_texts.words import Words
from ledgerpress.http.pages.language_and_direction import direction_of, english_attributes
from ledgerpress.http.pages.link import Link, Picture
from ledgerpress.http.pages.links_at_moments import (
    query_of_current_page,
    with_moment,
    with_moment_in_links,
)
from ledgerpress.http.pages.other_path_spellings import complete, other_spellings, path_matcher
from ledgerpress.http.pages.page_headers import (
    FORM_POLICY,
    GRAPHIQL_POLICY,
    INTERACTIVE_POLICY,
    SITE_POLICY,
    not_indexed,
    page_headers,
)
from ledgerpress.http.pages.page_moment import (
    AS_OF,
    ChangesOfPage,
    InvalidMoment,
    PageMoment,
    current_moment,
    requested_moment,
)
from ledgerpress.http.pages.page_parts import PagePart, PageView
from ledgerpress.http.pages.page_settings import PageSettings
from ledgerpress.http.pages.site_files import environment_of, use_site_templates
from ledgerpress.http.pages.site_today import SiteToday
from ledgerpress.http.requests.url_prefix_and_route_path import absolute_url, url_prefix
from ledgerpress.views.paging import BadPageRequest
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

_TEMPLATES: Final = Path(__file__).parent / "templates"
_MAX_PREFIXES: Final = 16
"""How many prefixes have cached templates. An application has one prefix, unless its host mounts it by a pattern."""
_ELSEWHERE: Final = "https://"
_DEFAULT_NAME: Final = "LedgerPress"
"""The name of a site that has no name yet."""
_DEFAULT_LANGUAGE: Final = "en"
"""The language of a site if no feature provides one."""


PageHandler: TypeAlias = "Callable[[Pages, Snapshot, Request], Response | Awaitable[Response]]"
"""Returns a page that is read from a snapshot. A page that computes for long is awaited, and computes in a thread."""

LinksFor: TypeAlias = "Callable[[Pages, Snapshot, Any], Sequence[Link]]"
"""Returns the links that a feature adds at a place. The last argument is what the place is about, such as an article."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageContribution:
    """The pages that a feature adds, and its parts of other pages.

    `routes` are handlers by path, in the syntax of Starlette's routes. `templates` is the folder of their Jinja
    templates. Paths never contain the prefix under which the application is mounted: a template passes each path to
    `url(…)`, which adds the prefix, and each name of a file under `static/` to `asset(…)`.

    Text of users must not change the order of the text around it: a template shows it alone in a block with
    `dir="auto"`, or with the filter `bdi`, or in plain text with the filter `isolated`. A template writes its own words in
    English, with `words(…)`, or `words.text(…)` in attributes and in `<title>`; code writes them as `Text(…)`. The folder
    `translations` has their translations. By default it is next to `templates`; a later feature replaces earlier ones.

    If a handler raises `BadPageRequest`, the response is the page for unknown addresses, with status 404. `site_name`,
    `site_language` (a BCP 47 tag), `site_logo`, `site_address` (plain text in lines) and `navigation` appear on every page;
    the address is that of today, since it names who is responsible. The logo takes the place of the name if its text is the name. Times in addresses are in `site_time_zone`.
    `examples` returns values for the example operations of GraphiQL, by the names of data attributes.

    `links` are added to pages, by place. `head` is the head of every page; its subject is the path of the page, which is
    empty if the handler does not state it. `footer` is on every page, and so are `menu`, which takes the place of the
    navigation, and `footer menu`, which is that of today. A template names other places, with their subject: `links("article", article)`.

    A handler reads everything from the snapshot that it is given: it is as of the moment that the address names, and
    contains only what is public today. So every page can be read as of any moment, and `url(…)` keeps that moment; a form
    keeps it with a hidden field, `asOf`, if `as_of` is not `None`. `changes` returns when a page changed, by the path of
    the page. `parts` are on the pages that they choose, `static` is a folder with files that pages load.
    """

    routes: Mapping[str, PageHandler] = field(default_factory=dict)
    templates: Path | None = None
    translations: Path | None = None
    site_name: Callable[[Snapshot], str | None] | None = None
    site_language: Callable[[Snapshot], str | None] | None = None
    site_time_zone: Callable[[Snapshot], tzinfo] | None = None
    site_logo: Callable[[Snapshot], Picture | None] | None = None
    site_address: Callable[[Snapshot], str | None] | None = None
    navigation: Callable[[Snapshot], Sequence[Link]] | None = None
    links: Mapping[str, LinksFor] = field(default_factory=dict)
    changes: Mapping[str, ChangesOfPage] = field(default_factory=dict)
    parts: Sequence[PagePart] = ()
    static: Path | None = None
    examples: Callable[[Snapshot], Mapping[str, str]] | None = None


class Pages:
    """The pages of the site under a prefix. Each page is read from one snapshot and has its position in a header."""

    def __init__(
        self,
        store: Store,
        contributions: Sequence[PageContribution] = (),
        *,
        open_past: bool = False,
        settings: PageSettings | None = None,
    ) -> None:
        """Create pages without a prefix. `under` returns the pages for another prefix.

        With `open_past`, everyone may read pages as of a past moment. Raises `InvalidPageFiles` if the templates or the
        style sheet of the site cannot be used.
        """
        self._store = store
        self._prefix = ""
        self._open_past = open_past
        self._view: PageView | None = None
        self._contributions = contributions
        settings = settings or PageSettings()
        self._base_url = settings.base_url
        self._assets = Assets([part.static for part in contributions if part.static], settings.stylesheet)
        folders = [_TEMPLATES, *(part.templates for part in contributions if part.templates)]
        self._translations = translations_of(contributions)
        self._templates = environment_of(folders)
        has_stylesheet = settings.stylesheet is not None
        self._templates.globals |= self._link_functions() | {"has_site_stylesheet": has_stylesheet}
        if settings.templates is not None:
            use_site_templates(self._templates, settings.templates)
        self._is_page = path_matcher(path for part in contributions for path in part.routes)
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
            pages._templates.globals = {**self._templates.globals, **pages._link_functions()}
            self._by_prefix.put(prefix, pages)
        return pages

    @property
    def open_past(self) -> bool:
        """Whether everyone may read pages as of a past moment."""
        return self._open_past

    @property
    def moment(self) -> PageMoment:
        """The moment of the page that is requested. Raises `RuntimeError` outside a request."""
        if self._view is None:
            raise RuntimeError("only the pages of a request have a moment")
        return self._view.moment

    def url(self, path: str) -> str:
        """Return the URL of a page, as of the same moment as the page that is requested.

        The path begins with a slash. A query, which begins with "?", belongs to the page that is requested. An https URL
        is returned as it is.
        """
        if path.startswith(_ELSEWHERE):
            return path
        url = path if path.startswith("?") else self._prefix + path
        if self._view is None or self._view.moment.as_of is None:
            return url
        return with_moment(url, self._view.moment.as_of)

    def body(self, html: str) -> Markup:
        """Return the sanitised HTML of a body, in which links to pages of this site keep the moment, as `url` does."""
        if self._view is not None and self._view.moment.as_of is not None:
            address, as_of = str(self._view.request.url), self._view.moment.as_of
            roots = {absolute_url(self._view.request, "", base) for base in ("", self._base_url)}
            html = with_moment_in_links(html, as_of, address=address, roots=roots, is_page=self._is_page)
        return Markup(html)  # noqa: S704 - it is sanitised

    def current_url(self, path: str) -> str:
        """Return the URL of a path of this site, whatever the moment of the page that is requested; an https URL as it is."""
        return path if path.startswith(_ELSEWHERE) else self._prefix + path

    def absolute_url(self, path: str) -> str:
        """Return the permanent address of a path of this site, for readers who are not on the site.

        It does not keep the moment. Raises `RuntimeError` outside a request.
        """
        if self._view is None:
            raise RuntimeError("only the pages of a request have addresses")
        return absolute_url(self._view.request, path, self._base_url)

    def asset(self, name: str) -> str:
        """Return the URL of a file under `static/`. Raises `KeyError`."""
        return self.current_url(self._assets.path(name))

    def routes(self) -> list[BaseRoute]:
        """Return the routes of the pages. They must come after all others, since the last one matches every path."""
        handlers = [route for part in self._contributions for route in part.routes.items()]
        changes = {path: changes for part in self._contributions for path, changes in part.changes.items()}
        return [
            *(Route(path, self._endpoint(handler, changes.get(path))) for path, handler in handlers),
            Route("/static/{path:path}", self._assets.serve),
            Route("/{path:path}", self._endpoint(other_spellings(dict(handlers)))),
        ]

    @property
    def now(self) -> int:
        """The time for ages on pages, in microseconds since 1970, UTC: that of the moment of the page."""
        return self._store.clock.now() if self._view is None else self._view.moment.time

    @property
    def public_history(self) -> bool:
        """Whether everyone may read the published revisions of articles."""
        return self._store.public_history

    @property
    def publication(self) -> str:
        """The id of the publication."""
        return self._store.log.publication

    def as_of(self, position: int) -> Snapshot:
        """Return a snapshot as of an earlier position, with only what is public today."""
        moment = self.moment
        return moment.today.at(position, only=moment.public)

    def words(self, snapshot: Snapshot) -> Words:
        """Return the words of the site, in its language as of the snapshot."""
        return self._translations.words(self.site_language(snapshot))

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
        path: str = "",
        subject: object = None,
        is_in_time: bool = True,
        **values: Any,
    ) -> Response:
        """Return a page, rendered from a template with values.

        `path`, `subject` and `is_in_time` are for the parts that features add: see `PageView`.
        """
        words, today = self.words(snapshot), snapshot
        parts = []
        if self._view is not None:
            today = self._view.moment.today
            view = replace(self._view, status=status, path=path, subject=subject, is_in_time=is_in_time)
            parts = self._parts(view)
        html = self._templates.get_template(template).render(
            # A template that is imported with its context sees these; they keep the moment.
            **self._link_functions(),
            parts=parts,
            position_anchor=next(
                (part.position_anchor for _, part, _ in parts if part.position_anchor), None
            ),
            as_of=None if self._view is None else self._view.moment.as_of,
            site_name=self.site_name(snapshot),
            site_logo=self._site("site_logo", snapshot),
            site_address=self._site("site_address", today),
            today=SiteToday(self.words(today), words.language, self.links(today, "footer menu")),
            language=words.language,
            direction=direction_of(words.language),
            words=words,
            english=english_attributes(words.language),
            navigation=self._navigation(snapshot),
            links=partial(self.links, snapshot),
            path=path,
            position=snapshot.position,
            page_address=self._view.address if self._view and status == 200 else None,
            **values,
        )
        if policy in {SITE_POLICY, FORM_POLICY} and any(part.scripts for _, part, _ in parts):
            policy = INTERACTIVE_POLICY
        return HTMLResponse(html, status_code=status, headers=self._headers(snapshot, policy))

    def not_found(self, snapshot: Snapshot) -> Response:
        """Return the page for unknown addresses, with status 404."""
        return self.page(snapshot, "missing.html", status=404)

    def moved(self, snapshot: Snapshot, path: str, query: str = "") -> Response:
        """Return a redirect to the current path of a page, with the query of the request."""
        # Browsers must revalidate it ("no-cache"): if a former slug became current again, redirects would form a loop.
        return RedirectResponse(
            self.current_url(path) + (f"?{query}" if query else ""),
            status_code=301,
            headers=self._headers(snapshot),
        )

    def _endpoint(self, handler: PageHandler, changes: ChangesOfPage | None = None) -> Any:
        async def endpoint(request: Request) -> Response:
            as_of = request.query_params.get(AS_OF)
            with self._store.snapshot() as today:
                pages = self.under(url_prefix(request.scope))
                moment = current_moment(self._store, today)
                if not as_of:
                    return await pages._at(moment, changes, request)._response(handler, request)
                query = query_of_current_page(request)
                if not self._open_past:
                    page = pages.page(today, "past_not_public.html", status=403, current_query=query)
                    return not_indexed(page)
                try:
                    moment = requested_moment(moment, as_of, self._site("site_time_zone", today) or UTC)
                except InvalidMoment as error:
                    pages = pages._at(moment, changes, request)
                    page = pages.page(
                        today, "invalid_moment.html", status=400, reason=error.text, current_query=query
                    )
                    return not_indexed(page)
                page = await pages._at(moment, changes, request)._response(handler, request)
                return revalidated(request, not_indexed(page))

        return endpoint

    def _at(self, moment: PageMoment, changes: ChangesOfPage | None, request: Request) -> "Pages":
        """Return the pages of one request."""
        pages = copy(self)
        changes_of_page = changes(moment, request.path_params) if changes and self._open_past else None
        pages._view = PageView(pages=pages, request=request, moment=moment, changes=changes_of_page)
        return pages

    async def _response(self, handler: PageHandler, request: Request) -> Response:
        snapshot = self.moment.snapshot
        try:
            return await complete(handler(self, snapshot, request))
        except BadPageRequest:
            return self.not_found(snapshot)

    def _parts(self, view: PageView) -> list[tuple[str, PagePart, Mapping[str, Any]]]:
        """Return the parts that features add to a page, each with its place and the values for its template."""
        parts = [part for contribution in self._contributions for part in contribution.parts]
        return [(place, part, part.values(view)) for part in parts if (place := part.place(view))]

    def _headers(self, snapshot: Snapshot, policy: str = SITE_POLICY) -> dict[str, str]:
        """Return the headers of a page. The position is that of the response, also if the page is as of another one."""
        read_at = snapshot if self._view is None else self._view.moment.today
        return page_headers(read_at.position, policy)

    def _link_functions(self) -> dict[str, Callable[[str], str]]:
        """Return the functions for links in templates."""
        return {"asset": self.asset, "url": self.url, "current_url": self.current_url}

    def site_name(self, snapshot: Snapshot) -> str:
        return self._site("site_name", snapshot) or _DEFAULT_NAME

    def site_language(self, snapshot: Snapshot) -> str:
        return self._site("site_language", snapshot) or _DEFAULT_LANGUAGE

    def _site(self, field_name: str, snapshot: Snapshot) -> Any:
        """Return the value of the first feature that provides this field of `PageContribution`; `None` if none does."""
        functions = (getattr(part, field_name) for part in self._contributions)
        return next((value for read in functions if read and (value := read(snapshot))), None)

    def _navigation(self, snapshot: Snapshot) -> list[Link]:
        return [link for part in self._contributions if part.navigation for link in part.navigation(snapshot)]
