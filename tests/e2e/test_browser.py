"""The pages in a real browser, served by the real program. Without Chromium, these tests are skipped."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from ledgerpress import create_app
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost
from ledgerpress.server.store import open_store
from tests.e2e import chromium
from tests.e2e.chromium import Page
from tests.integration import embedded_host
from tests.integration.embedded_host import FASTAPI, new_token, served
from tests.integration.graphql_client import client
from tests.integration.server_process import Servers

HOSTILE = "<img src=x onerror=alert(1)> & Sons"
LONG = "Die " + "Hafen" * 30 + "bahn"
RESULT = "document.querySelector('.result-window .CodeMirror')?.CodeMirror.getValue()"


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    """A page of a browser with a new profile."""
    path = chromium.find()
    if path is None:
        reason = "Chromium is not installed (Debian: apt-get install chromium)"
        if "CI" in os.environ:
            pytest.fail(reason)
        pytest.skip(reason)
    async with chromium.browser(path, tmp_path / "profile") as browser_page:
        yield browser_page


@pytest.fixture(params=["server", "FastAPI"])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The address of a site with a few articles: of the program, or below a prefix in a FastAPI application."""
    data = tmp_path / "store"
    async with client(data) as newsroom:
        await newsroom.do("siteName", name="The Courier")
        for name in ("Town", "Council", "Culture"):
            await newsroom.do("categoryCreate", name=name)
        wide = "| a | b |\n| - | - |\n| " + "x" * 200 + " | 1 |\n"
        for slug, title in (("mill", "The tide mill turns again"), ("sons", HOSTILE), ("tram", LONG)):
            body = f"# {title}\n\n{wide}"
            await newsroom.write(title, body=body, slug=slug, categories=[{"slug": "town"}], publish=True)
    if request.param == "FastAPI":
        environment = {
            "LEDGERPRESS_DATA": str(data),
            "LEDGERPRESS_HTTP_GRAPHIQL": "true",
            "LEDGERPRESS_LIMITS_INTROSPECTION": "true",
            "LEDGERPRESS_LIMITS_FIELD_COST": "20000",
            "LEDGERPRESS_LIMITS_TYPE_COST": "20000",
        }
        async with embedded_host.process(f"{FASTAPI}:app", tmp_path, environment=environment) as address:
            yield f"http://{address}/content"
        return
    async with Servers(tmp_path) as servers:
        host, port = await (await servers.start(data)).address()
        yield f"http://{host}:{port}"


def foreign_requests(page: Page, site: str) -> list[str]:
    """Return the requests to other hosts; `data:` addresses in a style sheet are not requests."""
    return [url for url in page.requests if not url.startswith((site, "data:", "about:"))]


async def test_the_front_page_shows_its_titles_and_fits_a_phone(
    page: Page, site: str, tmp_path: Path
) -> None:
    for width in (1200, 390, 320):
        await page.go(f"{site}/", width=width)
        text = await page.value("document.body.innerText")
        for title in ("The Courier", "The tide mill turns again", HOSTILE):
            assert title in text
        assert await page.value("document.documentElement.scrollWidth") <= width
        assert await page.value("document.styleSheets.length") == 1
        await save_picture(page, f"front-page-{name_of(site)}-{width}", tmp_path)
    assert foreign_requests(page, site) == []
    assert page.complaints == []


async def test_an_article_fits_a_phone_and_links_to_the_front_page(page: Page, site: str) -> None:
    await page.go(f"{site}/", width=390)
    await page.value("document.querySelector('.card h3 a').click()")
    await page.until("document.querySelector('.reading h1') && document.readyState === 'complete'")
    assert await page.value("document.documentElement.scrollWidth") <= 390
    await page.value("document.querySelector('.site-name a').click()")
    await page.until("document.querySelector('h1.site-name')")
    assert page.complaints == []


async def test_pages_follow_the_colour_scheme_that_the_reader_prefers(page: Page, site: str) -> None:
    colours = []
    for scheme in ("light", "dark"):
        await page.prefer(scheme)
        await page.go(f"{site}/")
        colours.append(await page.value("getComputedStyle(document.documentElement).backgroundColor"))
    assert colours == ["rgb(253, 252, 249)", "rgb(23, 22, 20)"]


async def test_graphiql_shows_its_examples_and_runs_one(page: Page, site: str) -> None:
    await page.go(f"{site}/graphql")
    await page.until("document.querySelector('.graphiql-query-editor .CodeMirror')")
    tabs = await page.value(
        "[...document.querySelectorAll('.graphiql-tab-button')].map(one => one.innerText)"
    )
    assert tabs == ["FrontPage", "ArticleWithHistory", "FrontPageLastWeek", "ConflictingEdit"]

    await execute(page, 0, "The tide mill turns again")

    await page.value("document.querySelectorAll('.graphiql-tab-button')[1].click()")
    await page.until("document.querySelector('.graphiql-query-editor').innerText.includes('query Article')")
    assert '"slug": "tram"' in await page.value("document.querySelector('.graphiql-editor-tool').innerText")

    await page.value("document.querySelector('.graphiql-sidebar button').click()")
    await page.until("document.querySelector('.graphiql-doc-explorer')?.innerText.includes('Mutation')")
    assert foreign_requests(page, site) == []
    assert page.complaints == []


async def test_graphiql_shows_each_event_of_a_subscription(page: Page, site: str, tmp_path: Path) -> None:
    await page.go(f"{site}/graphql")
    await page.until("document.querySelector('.graphiql-execute-button')")
    document = "subscription { recentPosts(first: 1) { nodes { title } } }"
    editor = "document.querySelector('.graphiql-query-editor .CodeMirror')"
    await page.until(f"{editor}?.CodeMirror.getValue()")
    await page.value(f"{editor}.CodeMirror.setValue({json.dumps(document)})")
    # GraphiQL detects the operations with its own timer, which ends before this one.
    await page.value("new Promise(done => setTimeout(done, 500))")
    await page.value("document.querySelector('.graphiql-execute-button').click()")
    await page.until(f"{RESULT}?.includes({json.dumps(LONG)})")
    async with open_store(tmp_path / "store") as store:  # in another process than the server
        await store.commands.handle(CreatePost(title="The ferry is late", slug="ferry", publish=True))
    await page.until(f"{RESULT}?.includes('The ferry is late')")
    await save_picture(page, f"subscription-{name_of(site)}", tmp_path)
    await page.value("document.querySelector('.graphiql-execute-button').click()")  # stop it
    await page.until(
        "document.querySelector('.graphiql-execute-button').getAttribute('aria-label').includes('Execute')"
    )
    assert page.complaints == []


async def test_a_token_is_only_used_for_its_publication_if_two_share_an_origin(
    page: Page, tmp_path: Path
) -> None:
    apps = {
        name: create_app(tmp_path / name, environment={}, settings={"http.graphiql": True})
        for name in ("one", "two")
    }

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with apps["one"].lifespan(), apps["two"].lifespan():
            yield

    host_app = Starlette(routes=[Mount(f"/{name}", app) for name, app in apps.items()], lifespan=lifespan)
    async with served(host_app) as host:
        token = (await new_token(tmp_path / "one", Role.ADMIN))["Authorization"]
        site = f"http://{host.address}"
        secret = token.removeprefix("Bearer ")
        editors = "[...document.querySelectorAll('.CodeMirror')].map(one => one.CodeMirror.getValue()).join()"
        first, second = f"{site}/one/graphql", f"{site}/two/graphql"
        for address, lands in ((f"{first}#token={secret}", first), (second, second), (first, first)):
            await page.go(address, lands=lands)
            await page.until("document.querySelector('.graphiql-execute-button')")
            await page.until(f"{editors}.includes('query FrontPage')")
            assert (token in await page.value(editors)) is (lands == first)


def name_of(site: str) -> str:
    return "content" if site.endswith("/content") else "root"


async def save_picture(page: Page, name: str, tmp_path: Path) -> None:
    """Save a screenshot in the folder that `LEDGERPRESS_TEST_PICTURES` names."""
    folder = Path(os.environ.get("LEDGERPRESS_TEST_PICTURES", tmp_path))
    (folder / f"{name}.png").write_bytes(await page.picture())


async def execute(page: Page, tab: int, expected: str) -> None:
    """Execute the example in a tab, and wait until the result contains `expected`."""
    await page.until(f"document.querySelectorAll('.graphiql-tab-button')[{tab}]")
    await page.value(f"document.querySelectorAll('.graphiql-tab-button')[{tab}].click()")
    await page.until(
        "document.querySelector('.graphiql-query-editor .CodeMirror')?.CodeMirror.getValue()"
        f".includes(document.querySelectorAll('.graphiql-tab-button')[{tab}].innerText)"
    )
    await page.until("document.querySelector('.graphiql-execute-button')")
    # GraphiQL detects the operations with its own timer, which ends before this one.
    await page.value("new Promise(done => setTimeout(done, 500))")
    await page.value("document.querySelector('.graphiql-execute-button').click()")
    try:
        await page.until(f"{RESULT}?.includes({json.dumps(expected)})")
    except TimeoutError:
        pytest.fail(f"{expected} is not in {await page.value(RESULT)}")
    assert '"errors"' not in await page.value(RESULT)


async def test_every_example_works_with_a_token_and_without_other_hosts(page: Page, tmp_path: Path) -> None:
    offline = (
        "fetch('https://www.example.org/', {mode: 'no-cors'}).then(() => 'reached', () => 'not reached')"
    )
    assert await page.value(offline) == "not reached"
    page.requests.clear()
    page.complaints.clear()
    async with Servers(tmp_path, environment={}) as servers:
        server = await servers.start(tmp_path / "store", "--demo")
        host, port = await server.address()
        site, token = f"http://{host}:{port}", server.admin_token()
        assert token is not None
        await page.go(f"{site}/graphql#token={token}", lands=f"{site}/graphql")
        await page.until("document.querySelector('.graphiql-execute-button')")
        before = await page.picture()
        await execute(page, 2, '"nodes"')
        assert (await result_data(page))["recentPosts"]["totalCount"] > 0
        await execute(page, 3, '"currentVersion"')
        edit = (await result_data(page))["postEdit"]
        assert [error["code"] for error in edit["userErrors"]] == ["VERSION_CONFLICT"]
        await execute(page, 1, '"history"')
        types = [change["type"] for change in (await result_data(page))["post"]["history"]["nodes"]]
        assert types[-1] == "post.created"
        await execute(page, 0, '"recentPosts"')
        assert len((await result_data(page))["recentPosts"]["nodes"]) == 6

        # The results are visible.
        after = await page.picture()
        await save_picture(page, "graphiql", tmp_path)
        assert after != before
        box = await page.value(
            "document.querySelector('.result-window .CodeMirror').getBoundingClientRect().toJSON()"
        )
        assert box["width"] > 200
        assert box["height"] > 200
        assert box["right"] <= 1200
        assert box["bottom"] <= 900

        everywhere = (
            "[...document.querySelectorAll('.CodeMirror')].map(one => one.CodeMirror.getValue()).join()"
        )
        assert f"Bearer {token}" in await page.value(everywhere)
        assert token not in await page.value("location.href + JSON.stringify(localStorage) + document.cookie")
        assert token not in "".join(page.requests)

        # The token remains until the tab is closed.
        await page.go(f"{site}/health/live")
        await page.go(f"{site}/graphql")
        await execute(page, 1, '"history"')
        assert foreign_requests(page, site) == []
        assert page.complaints == []


async def result_data(page: Page) -> dict[str, Any]:
    """Return the data of the displayed result."""
    data: dict[str, Any] = json.loads(await page.value(RESULT))["data"]
    return data


async def test_there_is_no_graphiql_in_production(tmp_path: Path) -> None:
    async with Servers(tmp_path) as servers:
        server = await servers.start(tmp_path / "store", "--profile", "production")
        host, port = await server.address()
        async with httpx2.AsyncClient() as http:
            response = await http.get(f"http://{host}:{port}/graphql", headers={"Accept": "text/html"})
        assert response.status_code >= 400
        assert "graphiql" not in response.text.lower()
