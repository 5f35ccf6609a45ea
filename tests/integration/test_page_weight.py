"""A page for readers is small: below 60 KB with everything that it loads, compressed, and it works without scripts."""

import gzip
from pathlib import Path
from typing import Final

import httpx2
import pytest

from ledgerpress.commands.client_identity import ANONYMOUS, FixedIdentity
from ledgerpress.eventlog.clock_randomness_ids import SystemClock
from ledgerpress.features.demo.load import DemoClock
from ledgerpress.features.registry import graphql_schema, page_contributions
from ledgerpress.http.app import make_app
from ledgerpress.server.store import open_store
from tests.e2e.demo_site import WEEKS, write_demo
from tests.integration.test_pages import Outline

MAX_BYTES: Final = 60_000
PATHS: Final = (
    "/",
    "/categories/harbour",
    "/articles/winter-ferry-hours",
    "/articles/everything",
    "/articles/everything/history",
    "/articles/everything/history/2?view=side-by-side",
    "/corrections",
    "/compare?from=100",
    "/?asOf=150",
    "/nowhere",
)


@pytest.mark.parametrize("open_past", [False, True])
async def test_a_page_with_everything_that_it_loads_is_below_60_kilobytes(
    tmp_path: Path, open_past: bool
) -> None:
    clock = DemoClock(SystemClock().now() - WEEKS)
    async with open_store(tmp_path / "demo", clock=clock, public_history=True) as store:
        await write_demo(store, clock)
        app = make_app(
            store,
            graphql_schema(),
            authenticator=FixedIdentity(ANONYMOUS),
            pages=page_contributions(),
            open_past=open_past,
        )
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
            for path in PATHS:
                page = await http.get(path)
                files = [await http.get(address) for address in Outline(page).loaded]
                assert all(file.status_code == 200 for file in files)
                scripts = [file for file in files if "javascript" in file.headers["Content-Type"]]
                assert len(scripts) <= open_past, "only the time bar has a script"
                size = sum(len(gzip.compress(part.content)) for part in (page, *files))
                assert size < MAX_BYTES, (path, size)
