"""GraphiQL in a real browser: every example, subscriptions, the keyboard, and a phone."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from ledgerpress import create_app
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost
from ledgerpress.server.store import open_store
from tests.e2e.chromium import Page
from tests.e2e.pages_in_browser import LONG, foreign_requests, name_of, save_picture
from tests.integration.embedded_host import new_token, served
from tests.integration.server_process import Servers

READER_TABS: Final = ["FrontPage", "ArticleWithHistory", "NowAndThen", "LiveChanges"]
STAFF_TABS: Final = [*READER_TABS, "EditAndPublish", "ConflictingEdit"]
TITLES: Final = "[...document.querySelectorAll('.graphiql-tab-button')].map(button => button.innerText)"
BUTTON: Final = "document.querySelector('.graphiql-execute-button')"
IN_EDITOR: Final = "Boolean(document.activeElement.closest('.monaco-editor'))"
TAB: Final = ("Tab", 9)


def model(name: str) -> str:
    """Return an expression for the text in an editor of GraphiQL."""
    return f"GraphiQLBundle.editors.getModels().find(model => model.uri.path.endsWith({json.dumps(name)}))"


OPERATION: Final = model("operation.graphql")
RESPONSE: Final = f"{model('response.json')}.getValue()"


async def load(page: Page, address: str, **options: Any) -> None:
    """Load GraphiQL, and wait until its editor shows the first example."""
    await page.go(address, lands=address.partition("#")[0], **options)
    await page.until(f"window.GraphiQLBundle && {OPERATION}?.getValue() && {BUTTON}")
    await page.until("document.querySelector('.graphiql-query-editor .view-line span')")


async def select(page: Page, name: str) -> None:
    """Select the tab with this name."""
    buttons = "[...document.querySelectorAll('.graphiql-tab-button')]"
    await page.value(f"{buttons}.find(button => button.innerText === {json.dumps(name)}).click()")
    await until_operation(page, name)


async def until_operation(page: Page, name: str) -> None:
    """Wait until the editor contains this operation, and GraphiQL knows that: it then names the active tab after it."""
    await page.until(f"{OPERATION}.getValue().includes({json.dumps(name)})")
    await page.until(
        f"document.querySelector('.graphiql-tab-active')?.innerText === {json.dumps(name)} && !{BUTTON}.disabled"
    )


async def execute(page: Page, name: str, expected: str) -> dict[str, Any]:
    """Execute the example in a tab; return the data of the result, which contains `expected` and no errors."""
    await select(page, name)
    await page.value(f"{BUTTON}.click()")
    await result_with(page, expected)
    result: dict[str, Any] = json.loads(await page.value(RESPONSE))
    assert "errors" not in result
    data: dict[str, Any] = result["data"]
    return data


async def result_with(page: Page, expected: str) -> None:
    """Wait until the result contains a text."""
    try:
        await page.until(f"{RESPONSE}.includes({json.dumps(expected)})")
    except TimeoutError:
        pytest.fail(f"{expected} is not in {await page.value(RESPONSE)}")


@asynccontextmanager
async def demo(tmp_path: Path) -> AsyncIterator[tuple[str, str]]:
    """Serve the demo; yield its address, and the token of its administrator."""
    async with Servers(tmp_path, environment={}) as servers:
        server = await servers.start(tmp_path / "store", "--demo")
        host, port = await server.address()
        token = server.admin_token()
        assert token is not None
        yield f"http://{host}:{port}", token


async def stop_subscription(page: Page) -> None:
    await page.value(f"{BUTTON}.click()")
    await page.until(f"{BUTTON}.getAttribute('aria-label').includes('Execute')")


async def test_every_example_of_the_demo_returns_data_without_a_token(page: Page, tmp_path: Path) -> None:
    offline = (
        "fetch('https://www.example.org/', {mode: 'no-cors'}).then(() => 'reached', () => 'not reached')"
    )
    assert await page.value(offline) == "not reached"
    page.requests.clear()
    page.complaints.clear()
    async with demo(tmp_path) as (site, token):
        await load(page, f"{site}/graphql")
        assert await page.value(TITLES) == READER_TABS
        front = await execute(page, "FrontPage", '"recentPosts"')
        assert len(front["recentPosts"]["nodes"]) == 6

        data = await execute(page, "ArticleWithHistory", '"history"')
        assert [bool(correction["note"]) for correction in data["article"]["corrections"]] == [True]
        history = data["post"]["history"]
        assert (data["post"]["version"], history["totalCount"], len(history["nodes"])) == (15, 15, 15)
        assert history["nodes"][-1]["type"] == "post.created"

        data = await execute(page, "NowAndThen", '"frontPageThen"')
        assert data["now"]["title"] != data["then"]["title"]
        assert (len(data["now"]["corrections"]), data["then"]["corrections"]) == (1, [])
        assert data["frontPageNow"]["totalCount"] > data["frontPageThen"]["totalCount"] > 0
        await save_picture(page, "graphiql-now-and-then", tmp_path)

        await execute(page, "LiveChanges", '"changes"')
        edit = (
            'mutation ($id: ID!) { postEdit(input: {id: $id, teaser: "Live.", reason: "A live edit"}) '
            "{ userErrors { code } } }"
        )
        article = await page.value("document.getElementById('graphiql').dataset.article")
        body = {"query": edit, "variables": {"id": article}}
        async with httpx2.AsyncClient(base_url=site) as http:
            refused = (await http.post("/graphql", json=body)).json()
            assert [error["extensions"]["code"] for error in refused["errors"]] == ["UNAUTHENTICATED"]
            done = await http.post("/graphql", json=body, headers={"Authorization": f"Bearer {token}"})
            assert done.json()["data"]["postEdit"]["userErrors"] == []
        await result_with(page, "A live edit")
        await save_picture(page, "graphiql-live-changes", tmp_path)
        await stop_subscription(page)
        assert foreign_requests(page, site) == []
        assert page.complaints == []


async def test_a_click_right_after_a_change_executes_the_operation_in_the_editor(
    page: Page, tmp_path: Path
) -> None:
    """GraphiQL learns the name and the kind of an operation in the editor after a delay."""
    async with demo(tmp_path) as (site, _):
        await load(page, f"{site}/graphql")
        tabs = "[...document.querySelectorAll('.graphiql-tab-button')]"
        results = ('"history"', '"frontPageThen"', '"changes"', '"recentPosts"')
        for name, expected in zip([*READER_TABS[1:], READER_TABS[0]], results, strict=True):
            tab = f"{tabs}.find(button => button.innerText === {json.dumps(name)})"
            await page.value(f"{tab}.click(), {BUTTON}.click()")
            await result_with(page, expected)
            if name == "LiveChanges":
                await stop_subscription(page)
        for document, expected in (
            ("query Other { site { language } }", '"language"'),
            ("{ site { timeZone } }", '"timeZone"'),
            ("subscription Ticks { recentPosts(first: 1) { nodes { title } } }", '"nodes"'),
        ):
            await page.value(f"{OPERATION}.setValue({json.dumps(document)}), {BUTTON}.click()")
            await result_with(page, expected)
        await stop_subscription(page)
        several = "query One { site { name } } query Two { site { name } }"
        await page.value(f"{OPERATION}.setValue({json.dumps(several)}), {BUTTON}.click()")
        await result_with(page, "Choose the operation to execute: One, Two.")
        assert page.complaints == []


async def test_every_example_of_the_demo_works_with_a_token(page: Page, tmp_path: Path) -> None:
    async with demo(tmp_path) as (site, token):
        await load(page, f"{site}/graphql#token={token}")
        assert await page.value(TITLES) == STAFF_TABS
        before = await page.picture()
        for name, expected in zip(READER_TABS, ('"site"', '"history"', '"then"', '"changes"'), strict=True):
            await execute(page, name, expected)
        await stop_subscription(page)
        edit = (await execute(page, "EditAndPublish", '"postEdit"'))["postEdit"]
        assert (edit["userErrors"], edit["post"]["version"]) == ([], 17)
        edit = (await execute(page, "ConflictingEdit", '"currentVersion"'))["postEdit"]
        assert [error["code"] for error in edit["userErrors"]] == ["VERSION_CONFLICT"]

        # The results are visible.
        assert await page.picture() != before
        box = await page.value("document.querySelector('.result-window').getBoundingClientRect().toJSON()")
        assert min(box["width"], box["height"]) > 200
        assert (box["right"] <= 1200, box["bottom"] <= 900) == (True, True)

        assert f"Bearer {token}" in await page.value(f"{model('request-headers.json')}.getValue()")
        assert token not in await page.value("location.href + JSON.stringify(localStorage) + document.cookie")
        assert token not in "".join(page.requests)

        # The token remains until the tab is closed.
        await page.go(f"{site}/health/live")
        await load(page, f"{site}/graphql")
        edit = (await execute(page, "ConflictingEdit", '"currentVersion"'))["postEdit"]
        assert page.complaints == []


async def test_tab_moves_through_the_page_and_leaves_every_editor(page: Page, site: str) -> None:
    await load(page, f"{site}/graphql")
    hint = await page.value("document.getElementById('keys').innerText")
    assert "Tab leaves it" in hint
    visited = []
    has_left_editor = False
    for _ in range(60):
        if not has_left_editor:
            await page.press(*TAB)
        has_left_editor = False
        if await page.value("document.activeElement === document.body"):
            break
        name = (
            "document.activeElement.ariaLabel || document.activeElement.innerText"
            " || document.activeElement.closest('[aria-label]')?.ariaLabel || document.activeElement.outerHTML"
        )
        visited.append(await page.value(name))
        if visited.count(visited[0]) > 1:  # the focus left the page, and came back to the first control
            visited.pop()
            break
        if await page.value("document.activeElement.querySelector?.('.monaco-editor') !== null"):
            assert "Tab goes out" in visited[-1]
            await page.press("Enter", 13)
            await page.until(IN_EDITOR)
            text = await page.value(f"{OPERATION}.getValue()")
            await page.press(*TAB)
            await page.until(f"!({IN_EDITOR})")
            assert await page.value(f"{OPERATION}.getValue()") == text
            has_left_editor = True
    else:
        pytest.fail(f"the focus does not leave the page: {visited}")
    assert visited[0] == "Show Documentation Explorer", visited
    assert sum("Tab goes out" in name for name in visited) == 3, visited
    assert [name for name in visited if "<" in name] == [], visited


async def test_control_m_lets_tab_indent_and_leave_again(page: Page, site: str) -> None:
    await load(page, f"{site}/graphql")
    text = await page.value(f"{OPERATION}.getValue()")
    await page.value("document.querySelector('.graphiql-query-editor textarea').focus()")
    await page.press("m", 77, control=True)
    await page.press(*TAB)
    await page.until(f"{OPERATION}.getValue() === {json.dumps('  ' + text)}")
    assert await page.value(IN_EDITOR)
    await page.press("m", 77, control=True)
    await page.press(*TAB)
    await page.until(f"!({IN_EDITOR})")


async def test_on_a_phone_the_editor_the_button_and_the_result_fit(page: Page, tmp_path: Path) -> None:
    async with demo(tmp_path) as (site, _):
        await load(page, f"{site}/graphql", width=360, height=640)
        for name, expected in zip(READER_TABS, ('"site"', '"history"', '"then"', '"changes"'), strict=True):
            await select(page, name)
            await page.tap(BUTTON)
            await result_with(page, expected)
            await save_picture(page, f"graphiql-phone-{name}", tmp_path)
            assert await page.value("document.documentElement.scrollWidth") == 360
            for element, width, height in (
                (".graphiql-query-editor", 300, 100),
                (".graphiql-execute-button", 24, 24),
                (".result-window", 300, 150),
            ):
                selector = f"document.querySelector('{element}')"
                box = await page.value(f"{selector}.getBoundingClientRect().toJSON()")
                assert (box["width"] >= width, box["height"] >= height) == (True, True), (element, box)
                assert 0 <= box["left"] < box["right"] <= 360, (element, box)
                assert 0 <= box["top"] < box["bottom"] <= 640, (element, box)
            for editor in ("query-editor", "response"):
                content = f"document.querySelector('.graphiql-{editor} .lines-content')"
                assert await page.value(f"{content}.scrollWidth <= {content}.clientWidth + 360")
        assert page.complaints == []


async def test_without_scripts_graphiql_shows_only_what_to_do_then(page: Page, site: str) -> None:
    await page.disable_scripts()
    await page.go(f"{site}/graphql")
    assert await page.value("document.body.innerText.trim()") == (
        "The explorer needs JavaScript. Without it, send GraphQL operations to this address by POST."
    )


async def test_graphiql_shows_the_examples_and_the_documentation_of_a_site(page: Page, site: str) -> None:
    await load(page, f"{site}/graphql")
    assert await page.value(TITLES) == READER_TABS
    data = await execute(page, "FrontPage", "The tide mill turns again")
    assert data["site"]["name"] == "The Courier"
    await select(page, "ArticleWithHistory")
    await page.until(f'{model("variables.json")}.getValue().includes(\'"slug": "tram"\')')
    await page.value("document.querySelector('.graphiql-sidebar button').click()")
    await page.until("document.querySelector('.graphiql-doc-explorer')?.innerText.includes('Mutation')")
    assert foreign_requests(page, site) == []
    assert page.complaints == []


async def test_graphiql_shows_each_event_of_a_subscription(page: Page, site: str, tmp_path: Path) -> None:
    await load(page, f"{site}/graphql")
    document = "subscription Titles { recentPosts(first: 1) { nodes { title } } }"
    await page.value(f"{OPERATION}.setValue({json.dumps(document)})")
    await until_operation(page, "Titles")
    await page.value(f"{BUTTON}.click()")
    await result_with(page, LONG)
    async with open_store(tmp_path / "store") as store:  # in another process than the server
        await store.commands.handle(CreatePost(title="The ferry is late", slug="ferry", publish=True))
    await result_with(page, "The ferry is late")
    await save_picture(page, f"subscription-{name_of(site)}", tmp_path)
    await stop_subscription(page)
    assert page.complaints == []


async def test_a_rejected_subscription_shows_the_errors_of_the_server(page: Page, site: str) -> None:
    await load(page, f"{site}/graphql#token=lp_unknown")
    await select(page, "LiveChanges")
    await page.value(f"{BUTTON}.click()")
    await result_with(page, "UNAUTHENTICATED")


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
        editors = "GraphiQLBundle.editors.getModels().map(model => model.getValue()).join()"
        first, second = f"{site}/one/graphql", f"{site}/two/graphql"
        for address, lands in ((f"{first}#token={secret}", first), (second, second), (first, first)):
            await load(page, address)
            assert "query FrontPage" in await page.value(editors)
            assert (token in await page.value(editors)) is (lands == first)


async def test_there_is_no_graphiql_in_production(tmp_path: Path) -> None:
    async with Servers(tmp_path) as servers:
        server = await servers.start(tmp_path / "store", "--profile", "production")
        host, port = await server.address()
        async with httpx2.AsyncClient() as http:
            response = await http.get(f"http://{host}:{port}/graphql", headers={"Accept": "text/html"})
        assert response.status_code >= 400
        assert "graphiql" not in response.text.lower()
