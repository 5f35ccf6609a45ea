"""LedgerPress in a FastAPI application with its own routes, dependencies, handlers, middleware and WebSocket."""

import importlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from ledgerpress.commands.roles_and_permissions import Role
from tests.integration.embedded_host import Host, new_token, served
from tests.integration.site_under_prefix import HTML, check_site, create_article

HOST = "tests.integration.fastapi_host"
pytestmark = pytest.mark.filterwarnings("ignore:The `root_path` parameter is deprecated")


@pytest.fixture(params=["", "/site"])
async def prefix(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The `root_path` of the FastAPI application."""
    monkeypatch.setenv("HOST_ROOT_PATH", request.param)
    return str(request.param)


@pytest.fixture
async def host(prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Host]:
    monkeypatch.setenv("LEDGERPRESS_DATA", str(tmp_path / "data"))
    sys.modules.pop(HOST, None)
    async with served(importlib.import_module(HOST).app) as host:
        yield host


async def test_everything_works_behind_the_middleware_of_the_host(
    host: Host, prefix: str, tmp_path: Path
) -> None:
    # With a root_path, requests come with or without it (https://fastapi.tiangolo.com/advanced/behind-a-proxy/).
    token = await new_token(tmp_path / "data", Role.EDITOR)
    await check_site(host, "/content", f"{prefix}/content", token)
    page = await host.http.get(f"{prefix}/content/articles/mill", headers=HTML)
    assert (page.status_code, page.headers["x-host"]) == (200, "yes")


async def test_middleware_of_the_host_applies_to_responses_of_both_applications(
    host: Host, tmp_path: Path
) -> None:
    token = await new_token(tmp_path / "data", Role.EDITOR)
    await create_article(host, "/content", token, "The tide mill", "mill")
    headers = {"Origin": "https://front.example", "Accept-Encoding": "gzip"}
    for path in ("/openapi.json", "/content/articles/mill"):
        response = await host.http.get(path, headers={**HTML, **headers})
        assert response.status_code == 200
        assert response.headers["content-encoding"] == "gzip"
        assert response.headers["access-control-allow-origin"] == "https://front.example"
        assert response.headers["x-host"] == "yes"
    preflight = {"Origin": "https://front.example", "Access-Control-Request-Method": "POST"}
    allowed = await host.http.options("/content/graphql", headers=preflight)
    assert allowed.headers["access-control-allow-origin"] == "https://front.example"


async def test_routes_dependencies_and_handlers_of_the_host_are_untouched(host: Host) -> None:
    assert (await host.http.get("/desks/news")).status_code == 401
    editor = {"X-Editor": "Ada"}
    assert (await host.http.get("/desks/news", headers=editor)).json() == {
        "name": "news of Ada in Emden",
        "seats": 2,
    }
    missing_desk = await host.http.get("/desks/none", headers=editor)
    assert (missing_desk.status_code, missing_desk.json()) == (410, {"desk": None})
    assert (await host.http.post("/desks", json={"name": "sport", "seats": 3})).status_code == 201
    assert (await host.http.post("/desks", json={"seats": "many"})).status_code == 422
    assert (await host.http.get("/nowhere")).json() == {"page": None}
    # LedgerPress sends its own page for an unknown path.
    missing_page = await host.http.get("/content/nowhere", headers=HTML)
    assert (missing_page.status_code, missing_page.headers["content-type"]) == (
        404,
        "text/html; charset=utf-8",
    )
    async with connect(f"ws://{host.address}/echo") as socket:
        await socket.send("echo")
        assert await socket.recv() == "ECHO"


async def test_the_openapi_document_lists_the_routes_of_the_host(host: Host, prefix: str) -> None:
    document = (await host.http.get("/openapi.json")).json()
    assert sorted(document["paths"]) == ["/desks", "/desks/{name}"]
    assert document.get("servers", []) == ([{"url": prefix}] if prefix else [])
    docs = await host.http.get("/docs")
    assert (docs.status_code, "swagger" in docs.text) == (200, True)
