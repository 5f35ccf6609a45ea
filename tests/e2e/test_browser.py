"""The pages in a real browser, served by the real program. Needs Chromium; without it, all of this is left out."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e import chromium
from tests.e2e.chromium import Page
from tests.integration.desk import client
from tests.integration.server import Servers

HOSTILE = "<img src=x onerror=alert(1)> & Sons"
LONG = "Die " + "Hafen" * 30 + "bahn"
RESULT = "document.querySelector('.result-window')?.innerText"


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    """A page of a browser that has never been used."""
    path = chromium.find()
    if path is None:
        reason = "Chromium is not installed (Debian: apt-get install chromium)"
        if "CI" in os.environ:
            pytest.fail(reason)
        pytest.skip(reason)
    async with chromium.browser(path, tmp_path / "profile") as one:
        yield one


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[str]:
    """The address of a server with a few articles."""
    data = tmp_path / "store"
    async with client(data) as door:
        await door.do("siteName", name="The Courier")
        for name in ("Town", "Council", "Culture"):
            await door.do("categoryCreate", name=name)
        wide = "| a | b |\n| - | - |\n| " + "x" * 200 + " | 1 |\n"
        for slug, title in (("mill", "The tide mill turns again"), ("sons", HOSTILE), ("tram", LONG)):
            body = f"# {title}\n\n{wide}"
            await door.write(title, body=body, slug=slug, categories=[{"slug": "town"}], publish=True)
    async with Servers(tmp_path) as servers:
        host, port = await (await servers.start(data)).address()
        yield f"http://{host}:{port}"


def foreign(page: Page, site: str) -> list[str]:
    """The requests that left the site; what a style sheet holds itself (data:) is no request."""
    return [url for url in page.requests if not url.startswith((site, "data:", "about:"))]


async def test_the_front_page_shows_its_titles_and_fits_a_phone(page: Page, site: str) -> None:
    for width in (1200, 390, 320):
        await page.go(f"{site}/", width=width)
        shown = await page.value("document.body.innerText")
        for title in ("The Courier", "The tide mill turns again", HOSTILE):
            assert title in shown
        assert await page.value("document.documentElement.scrollWidth") <= width
        assert await page.value("document.styleSheets.length") == 1
    assert foreign(page, site) == []
    assert page.complaints == []


async def test_an_article_fits_a_phone_and_leads_back(page: Page, site: str) -> None:
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
    assert tabs == ["FrontPage", "Article", "Categories", "EditPost"]

    await page.until("document.querySelector('.graphiql-execute-button')")
    await page.value("document.querySelector('.graphiql-execute-button').click()")
    await page.until(f"{RESULT}?.includes('The tide mill turns again')")

    await page.value("document.querySelectorAll('.graphiql-tab-button')[1].click()")
    await page.until("document.querySelector('.graphiql-query-editor').innerText.includes('query Article')")
    assert '"slug": "tram"' in await page.value("document.querySelector('.graphiql-editor-tool').innerText")

    await page.value("document.querySelector('.graphiql-sidebar button').click()")
    await page.until("document.querySelector('.graphiql-doc-explorer')?.innerText.includes('Mutation')")
    assert foreign(page, site) == []
    assert page.complaints == []
