"""Checks of a site under a prefix: links between its pages, GraphQL requests and subscriptions."""

from collections.abc import Mapping
from typing import Any, Final

import httpx2

from tests.integration.embedded_host import Host
from tests.integration.sse_client import opened
from tests.integration.test_pages import Outline

CREATE: Final = "mutation ($input: PostCreateInput!) { postCreate(input: $input) { post { slug } userErrors { message } } }"
EDIT: Final = "mutation ($input: PostEditInput!) { postEdit(input: $input) { userErrors { message } } }"
ARTICLE: Final = "query ($slug: String!) { article(slug: $slug) { title } }"
NEWEST: Final = "subscription { recentPosts(first: 1) { nodes { title } } }"
HTML: Final = {"Accept": "text/html"}


async def post(
    host: Host, path: str, query: str, token: Mapping[str, str] | None = None, **variables: object
) -> Any:
    """Execute an operation and return its data."""
    body = {"query": query, "variables": variables}
    response = await host.http.post(f"{path}/graphql", json=body, headers=token or {})
    assert response.status_code == 200, response.text
    assert "errors" not in response.json(), response.text
    return response.json()["data"]


async def create_article(host: Host, path: str, token: Mapping[str, str], title: str, slug: str) -> None:
    values = {"title": title, "slug": slug, "body": "# One\n\nText.", "publish": True}
    data = await post(host, path, CREATE, token, input=values)
    assert data["postCreate"] == {"post": {"slug": slug}, "userErrors": []}


async def edit_article(host: Host, path: str, token: Mapping[str, str], slug: str, /, **changes: str) -> None:
    data = await post(host, path, "query ($slug: String!) { post(slug: $slug) { id } }", token, slug=slug)
    values = {"id": data["post"]["id"], "publish": True, **changes}
    assert (await post(host, path, EDIT, token, input=values))["postEdit"] == {"userErrors": []}


async def check_site(host: Host, path: str, shown: str, token: Mapping[str, str]) -> None:
    """Check a query, a mutation, a subscription over WebSocket and server-sent events, pages and GraphiQL.

    The paths of requests begin with `path`. Links must begin with `shown`, as if a proxy had removed the rest of `shown` from
    the requests.
    """
    await create_article(host, path, token, "The tide mill", "mill")
    assert await post(host, path, ARTICLE, slug="mill") == {"article": {"title": "The tide mill"}}
    for page in ("/", "/articles/mill", "/nowhere", "/graphql"):
        response = await host.http.get(path + page, headers=HTML)
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        await check_links(host, response, shown, shown.removesuffix(path))
    async with (
        host.websocket(f"{path}/graphql") as client,
        opened(host.http, "POST", f"{path}/graphql", NEWEST) as stream,
    ):
        await client.subscribe(NEWEST)
        for title in ("The tide mill", "The mill turns"):
            if title != "The tide mill":
                await edit_article(host, path, token, "mill", title=title)
            for payload in (await client.next(), (await stream.next()).data):
                assert payload["data"] == {"recentPosts": {"nodes": [{"title": title}]}}


async def check_links(host: Host, page: httpx2.Response, shown: str, removed: str) -> None:
    """Check that every link of a page begins with `shown`, and that its files exist at the paths without `removed`."""
    outline = Outline(page)
    links = [link for link in outline.links if not link.startswith(("#", "?"))]
    assert outline.loaded
    assert all(link.startswith(f"{shown}/") for link in [*links, *outline.loaded])
    for link in outline.loaded:
        assert (await host.http.get(link.removeprefix(removed))).status_code == 200
    homes = [attributes["data-home"] for _, attributes in outline.elements if "data-home" in attributes]
    assert homes in ([], [f"{shown}/"])
