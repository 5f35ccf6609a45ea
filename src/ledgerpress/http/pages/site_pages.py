"""Pages for readers, which work without JavaScript, and the page with GraphiQL."""

from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from ledgerpress.features.categories import queries as categories
from ledgerpress.features.posts import article_queries
from ledgerpress.features.posts.listings import EVERY_ARTICLE
from ledgerpress.graphql.context import Store
from ledgerpress.http.pages import view_models
from ledgerpress.http.pages.assets import Assets
from ledgerpress.http.pages.graphiql_examples import example_values
from ledgerpress.http.pages.page_headers import GRAPHIQL_POLICY, SITE_POLICY, page_headers
from ledgerpress.views.paging import BadPageRequest
from ledgerpress.views.snapshot import Snapshot

_TEMPLATES: Final = Path(__file__).parent / "templates"


class Pages:
    """The pages of the site. Each is read from one snapshot, and says in a header of which position."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._assets = Assets()
        self._templates = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals["asset"] = self._assets.href

    def routes(self) -> list[BaseRoute]:
        """Return the routes of the pages. The last one takes every path, so they come after all others."""
        return [
            Route("/", self._front),
            Route("/articles/{slug}", self._article),
            Route("/categories/{slug}", self._category),
            Route("/static/{path:path}", self._assets.serve),
            Route("/{path:path}", self._missing),
        ]

    async def graphiql(self, _: Request) -> Response:
        """Return the page with GraphiQL."""
        with self._store.snapshot() as snapshot:
            examples = example_values(snapshot)
            page = self._page(snapshot, "graphiql.html", policy=GRAPHIQL_POLICY, examples=examples)
        page.headers["Vary"] = "Accept"
        return page

    async def _front(self, request: Request) -> Response:
        with self._store.snapshot() as snapshot:
            try:
                listing = self._cards(snapshot, [EVERY_ARTICLE], request)
            except BadPageRequest:
                return self._not_found(snapshot)
            tree = view_models.category_tree(snapshot)
            is_first = not request.query_params
            return self._page(snapshot, "front.html", listing=listing, tree=tree, is_first=is_first)

    async def _article(self, request: Request) -> Response:
        slug = request.path_params["slug"]
        with self._store.snapshot() as snapshot:
            found = article_queries.by_slug(snapshot, slug)
            if found is None:
                return self._not_found(snapshot)
            if found.slug != slug:
                return _moved(snapshot, view_models.article_href(found.slug))
            content = view_models.article_content(snapshot, found, self._store.clock.now())
            return self._page(snapshot, "article.html", article=content)

    async def _category(self, request: Request) -> Response:
        slug = request.path_params["slug"]
        with self._store.snapshot() as snapshot:
            found = categories.by_slug(snapshot, slug)
            if found is None:
                return self._not_found(snapshot)
            if found.slug != slug:
                return _moved(snapshot, view_models.category_href(found.slug))
            try:
                keys = categories.listing_keys(snapshot, found, descend=True)
                listing = self._cards(snapshot, keys, request)
            except BadPageRequest:
                return self._not_found(snapshot)
            return self._page(
                snapshot,
                "category.html",
                category=found,
                count=categories.count_articles(snapshot, found, descend=True),
                ancestors=view_models.ancestors(snapshot, found),
                children=view_models.category_tree(snapshot, found.seq),
                listing=listing,
            )

    async def _missing(self, _: Request) -> Response:
        with self._store.snapshot() as snapshot:
            return self._not_found(snapshot)

    def _cards(self, snapshot: Snapshot, ks: list[int], request: Request) -> view_models.Cards:
        asked = request.query_params
        now = self._store.clock.now()
        return view_models.article_cards(
            snapshot, ks, now, after=asked.get("after"), before=asked.get("before")
        )

    def _not_found(self, snapshot: Snapshot) -> Response:
        return self._page(snapshot, "missing.html", status=404)

    def _page(
        self,
        snapshot: Snapshot,
        template: str,
        *,
        status: int = 200,
        policy: str = SITE_POLICY,
        **values: Any,
    ) -> Response:
        html = self._templates.get_template(template).render(
            site_name=view_models.site_name(snapshot),
            main_categories=view_models.main_categories(snapshot),
            position=snapshot.position,
            **values,
        )
        return HTMLResponse(html, status_code=status, headers=page_headers(snapshot.position, policy))


def _moved(snapshot: Snapshot, href: str) -> Response:
    # Asked again each time ("no-cache"): a slug may come back, and a browser would go round in circles.
    return RedirectResponse(href, status_code=301, headers=page_headers(snapshot.position))
