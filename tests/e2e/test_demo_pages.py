"""The list of the pages that tests visit contains every page of every feature, and every template."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from ledgerpress.features.registry import page_contributions
from ledgerpress.http.pages import page_contributions_and_rendering
from ledgerpress.http.pages.page_contributions_and_rendering import Pages
from tests.e2e.demo_pages import CLOSED_PAGES, EMPTY_PAGES, PAGES, pages_of, unvisited
from tests.e2e.demo_site import write_site
from tests.integration.graphql_client import client

NO_PAGES: Final = {"layout.html", "graphiql.html"}
"""Templates of no page for readers. Those whose names begin with an underscore are parts of others."""
KERNEL_TEMPLATES: Final = Path(page_contributions_and_rendering.__file__).parent / "templates"


@asynccontextmanager
async def demo(data: Path, *, is_open: bool) -> AsyncIterator[httpx2.AsyncClient]:
    async with client(data, open_past=is_open, public_history=is_open) as api:
        yield api.http


def page_templates() -> set[str]:
    """Return the names of the templates of all pages."""
    folders = [part.templates for part in page_contributions() if part.templates]
    names = {path.name for folder in (KERNEL_TEMPLATES, *folders) for path in folder.glob("*.html")}
    return {name for name in names if not name.startswith("_")} - NO_PAGES


def test_every_route_of_a_feature_is_visited() -> None:
    routes = [route for part in page_contributions() for route in part.routes]
    assert len(routes) > 8
    assert unvisited(routes, PAGES.values()) == set()
    assert unvisited([*routes, "/stars/{slug}"], PAGES.values()) == {"/stars/{slug}"}


@pytest.mark.slow
async def test_every_template_is_visited_and_no_address_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: set[str] = set()
    original = Pages.page

    def page(self: Pages, snapshot: Any, template: str, **values: Any) -> Any:
        rendered.add(template)
        return original(self, snapshot, template, **values)

    monkeypatch.setattr(Pages, "page", page)

    async def statuses(http: httpx2.AsyncClient, pages: Mapping[str, str]) -> dict[str, int]:
        return {name: (await http.get(path)).status_code for name, path in pages.items()}

    await write_site(tmp_path / "demo")
    async with demo(tmp_path / "demo", is_open=True) as http:
        open_pages = await statuses(http, await pages_of(http))
    async with demo(tmp_path / "demo", is_open=False) as http:
        closed_pages = await statuses(http, CLOSED_PAGES)
    async with demo(tmp_path / "empty", is_open=True) as http:
        empty_pages = await statuses(http, EMPTY_PAGES)
    missing = {name for name, status in open_pages.items() if status == 404}
    assert missing == {name for name in open_pages if "missing" in name or "not public any more" in name}
    invalid = {name for name, status in open_pages.items() if status == 400}
    assert invalid == {"comparison with a problem", "invalid moment"}
    assert set(open_pages.values()) == {200, 400, 404}, open_pages
    closed = {name for name, status in closed_pages.items() if status == 403}
    assert closed == {name for name in closed_pages if "not public" in name}
    assert set(empty_pages.values()) == {200}, empty_pages
    assert rendered == page_templates()
