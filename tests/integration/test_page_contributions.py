"""Features contribute pages; without features, every address returns “not found”."""

from pathlib import Path

import httpx2
from starlette.requests import Request
from starlette.responses import Response

from ledgerpress.commands.client_identity import ANONYMOUS, FixedIdentity
from ledgerpress.features.posts import CreatePost
from ledgerpress.features.posts.pages import ArticleContent
from ledgerpress.features.registry import graphql_schema, page_contributions
from ledgerpress.graphql.response_cache import CacheableStore
from ledgerpress.http.app import make_app
from ledgerpress.http.pages.link import Link
from ledgerpress.http.pages.page_contributions_and_rendering import PageContribution, Pages
from ledgerpress.http.pages.page_parts import PagePart, PageView
from ledgerpress.server.store import open_store
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot


def hello(pages: Pages, snapshot: Snapshot, request: Request) -> Response:
    return pages.page(snapshot, "hello.html", who=request.path_params["who"])


async def get(store: CacheableStore, pages: list[PageContribution], path: str) -> httpx2.Response:
    app = make_app(store, graphql_schema(), authenticator=FixedIdentity(ANONYMOUS), pages=pages)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
        return await http.get(path)


async def test_a_feature_adds_a_page_and_a_link_to_every_page(tmp_path: Path) -> None:
    (tmp_path / "hello.html").write_text(
        '{% extends "layout.html" %}{% block content %}Hello {{ who }}{% endblock %}'
    )
    greeting = PageContribution(
        routes={"/hello/{who}": hello},
        templates=tmp_path,
        navigation=lambda _: [Link("Greetings", "/hello/all")],
    )
    async with open_store(tmp_path / "data") as store:
        page = await get(store, [*page_contributions(), greeting], "/hello/you")
        assert page.status_code == 200
        assert "Hello you" in page.text
        front = await get(store, [*page_contributions(), greeting], "/")
        assert '<a href="/hello/all"><bdi>Greetings</bdi></a>' in front.text
        assert (await get(store, page_contributions(), "/hello/you")).status_code == 404


async def test_a_feature_adds_parts_to_the_head_and_below_articles(tmp_path: Path) -> None:
    (tmp_path / "part.html").write_text("<!-- {{ values.at }}: {{ values.about }} -->")

    def place(view: PageView) -> str | None:
        return "article" if isinstance(view.subject, ArticleContent) else "head"

    def values(view: PageView) -> dict[str, str | None]:
        title = view.subject.title if isinstance(view.subject, ArticleContent) else view.site_name
        return {"at": view.path, "about": title}

    part = PagePart(template="part.html", place=place, values=values)
    contributions = [*page_contributions(), PageContribution(templates=tmp_path, parts=(part,))]
    async with open_store(tmp_path / "data") as store:
        await store.commands.handle(CreatePost(title="Dulse & bread", slug="bread", publish=True))
        front = await get(store, contributions, "/")
        assert "<!-- /: LedgerPress -->" in front.text.partition("</head>")[0]
        article = await get(store, contributions, "/articles/bread")
        end = article.text.partition("</article>")[2].partition("</main>")[0]
        assert "<!-- /articles/bread: Dulse &amp; bread -->" in end


async def test_without_features_every_address_is_not_found(tmp_path: Path) -> None:
    async with open_store(tmp_path / "data") as store:
        page = await get(store, [], "/")
        assert page.status_code == 404
        assert "LedgerPress" in page.text
