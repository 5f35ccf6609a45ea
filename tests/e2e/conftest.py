"""A browser, and sites for it to visit. Without Chromium, the tests in this folder are skipped."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e import chromium
from tests.e2e.chromium import Page
from tests.e2e.pages_in_browser import HOSTILE, LONG
from tests.integration import embedded_host
from tests.integration.embedded_host import FASTAPI
from tests.integration.graphql_client import client
from tests.integration.server_process import Servers


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
async def site(request: pytest.FixtureRequest, tmp_path: Path, any_silence: None) -> AsyncIterator[str]:
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
