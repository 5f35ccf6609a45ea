"""Third-party features in an embedded application, its open store, and rebuilds of outdated views in its process."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import httpx2
import msgspec
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from strawberry.extensions import QueryDepthLimiter

import ledgerpress_factcheck
from ledgerpress import CommandResult, StoreClosed, create_app
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.feature import Feature, FeatureSet, InvalidFeature
from ledgerpress.features import registry
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost
from ledgerpress.features.registry import FIRST_PARTY
from ledgerpress.http.feature_routes import RouteContext
from ledgerpress.retry import poll
from ledgerpress.server import embedded_app
from ledgerpress.server.embedded_app import EmbeddedApp
from ledgerpress.server.process import background_rebuild
from ledgerpress.server.settings import InvalidSettings
from ledgerpress.views.files.views_directory import ViewsDirectory
from tests.contract.stars_feature import STARS
from tests.integration.embedded_host import new_token

FACTCHECK: Final = ledgerpress_factcheck.FEATURE
LONG: Final = 60.0
"""Timeout for background work, in seconds."""


class StarSettings(msgspec.Struct, frozen=True):
    most: int = 5


def routes(context: RouteContext) -> list[BaseRoute]:
    async def rate(request: Request) -> Response:
        identity = await context.identify(request)
        assert isinstance(context.settings, StarSettings)
        return JSONResponse({"role": identity.role, "most": context.settings.most})

    return [Route("/stars", rate, methods=["POST"])]


RATED: Final = replace(STARS, routes=f"{__name__}:routes", settings=f"{__name__}:StarSettings")


def app_with(data: Path, *features: Feature, **more: Any) -> EmbeddedApp:
    return create_app(data, features=features, environment={}, **more)


@asynccontextmanager
async def mounted(content: EmbeddedApp) -> AsyncIterator[httpx2.AsyncClient]:
    """Run the lifespan and yield a client of an application that mounts `content` under /content."""
    transport = httpx2.ASGITransport(app=Starlette(routes=[Mount("/content", content)]))
    async with (
        content.lifespan(),
        httpx2.AsyncClient(transport=transport, base_url="http://test") as http,
    ):
        yield http


async def test_features_add_fields_pages_routes_and_settings(tmp_path: Path) -> None:
    content = app_with(tmp_path, RATED, FACTCHECK, settings={"x_stars.most": 3})
    async with mounted(content) as http:
        token = await new_token(
            tmp_path, Role.EDITOR, FeatureSet(FIRST_PARTY, third_party=[RATED, FACTCHECK])
        )
        assert (await http.post("/content/stars", headers=token)).json() == {"role": "editor", "most": 3}
        page = await http.get("/content/factchecks")
        assert page.status_code == 200
        assert 'href="/content/factchecks"' in page.text
        response = await http.post("/content/graphql", json={"query": "{ checkedArticles { totalCount } }"})
        assert response.json()["data"] == {"checkedArticles": {"totalCount": 0}}


async def test_without_features_their_routes_and_settings_are_unknown(tmp_path: Path) -> None:
    async with mounted(app_with(tmp_path)) as http:
        assert (await http.get("/content/stars")).status_code == 404
        assert (await http.get("/content/factchecks")).status_code == 404
    with pytest.raises(InvalidSettings, match=r"x_stars\.most is not a setting"):
        app_with(tmp_path, settings={"x_stars.most": 3})
    with pytest.raises(InvalidSettings, match=r"x_stars\.most from create_app\(\)"):
        app_with(tmp_path, RATED, settings={"x_stars.most": "many"})
    with pytest.raises(InvalidFeature, match="requires nothing"):
        app_with(tmp_path, replace(STARS, requires=("nothing",)))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> FeatureSet:
    """The features of an environment with an installed fact-check package."""
    features = FeatureSet(FIRST_PARTY, third_party=[FACTCHECK])
    monkeypatch.setattr(embedded_app, "installed_features", lambda: features)
    return features


async def test_the_installed_features_are_the_default(tmp_path: Path, installed: FeatureSet) -> None:
    content = create_app(tmp_path, environment={})
    async with mounted(content) as http:
        assert (await http.get("/content/factchecks")).status_code == 200


async def test_the_host_uses_the_open_store(tmp_path: Path) -> None:
    content = app_with(tmp_path)
    with pytest.raises(RuntimeError, match="must run the lifespan"):
        _ = content.store
    async with mounted(content) as http:
        store = content.store
        result = await store.execute(CreatePost(title="By the host", slug="host", publish=True))
        assert isinstance(result, CommandResult)
        assert (await http.get("/content/articles/host")).status_code == 200
        response = await store.graphql('{ post(slug: "host") { title } }')
        assert response.data == {"post": {"title": "By the host"}}
    with pytest.raises(RuntimeError, match="must run the lifespan"):
        _ = content.store
    with pytest.raises(StoreClosed):
        _ = store.position


async def test_schema_extensions_take_effect_in_operations_of_the_host(tmp_path: Path) -> None:
    content = app_with(tmp_path, schema_extensions=[lambda: QueryDepthLimiter(max_depth=1)])
    async with content.lifespan():
        (error,) = (await content.store.graphql("{ categories { nodes { parent { name } } } }")).errors
    assert "depth" in error["message"]


def delete_views(data: Path) -> None:
    for file in data.glob("views-*"):
        file.unlink()


async def is_rebuilt(directory: ViewsDirectory) -> bool | None:
    return True if directory.current is not None and not directory.is_outdated else None


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The commands of the subprocesses that are started."""
    commands: list[tuple[str, ...]] = []
    create = asyncio.create_subprocess_exec

    async def record(*command: str, **more: Any) -> asyncio.subprocess.Process:
        commands.append(command)
        return await create(*command, **more)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", record)
    return commands


async def test_views_of_a_former_version_are_served_and_rebuilt_in_the_process(
    tmp_path: Path, programs: list[tuple[str, ...]], caplog: pytest.LogCaptureFixture
) -> None:
    former = app_with(tmp_path, FACTCHECK)
    async with former.lifespan():
        await former.store.execute(CreatePost(title="The tide mill", slug="mill", publish=True))
    (projector,) = FACTCHECK.projectors
    later = replace(FACTCHECK, projectors=(replace(projector, version=2),))  # type: ignore[type-var]
    content = app_with(tmp_path, later)
    directory = ViewsDirectory(tmp_path, FeatureSet(FIRST_PARTY, third_party=[later]).projectors)
    async with mounted(content) as http:
        assert "to be rebuilt" in caplog.text  # a copy of the former views is served in the meantime
        assert (await http.get("/content/articles/mill")).status_code == 200
        assert await poll(lambda: is_rebuilt(directory), interval=0.05, timeout=LONG)
        assert (await http.get("/content/articles/mill")).status_code == 200
    assert programs == []


async def test_views_of_installed_features_are_rebuilt_by_the_program(
    tmp_path: Path, programs: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_app, "installed_features", lambda: registry.FEATURES)
    content = create_app(tmp_path, environment={})
    directory = ViewsDirectory(tmp_path, registry.FEATURES.projectors)
    async with content.lifespan():
        delete_views(tmp_path)
        assert await poll(lambda: is_rebuilt(directory), interval=0.05, timeout=LONG)
    (program,) = programs
    assert program[-4:] == ("rebuild", "--if-outdated", "--data", str(tmp_path))


async def test_a_rebuild_in_the_process_ends_with_the_lifespan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, events = threading.Event(), list[str]()

    async def endless(*_: object, **__: object) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            events.append("the rebuild has ended")

    monkeypatch.setattr(background_rebuild, "rebuild", endless)
    async with app_with(tmp_path, FACTCHECK).lifespan():
        delete_views(tmp_path)
        assert await asyncio.to_thread(started.wait, LONG)
        assert events == []
    assert events == ["the rebuild has ended"]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("views rebuild")]


async def test_a_failed_rebuild_is_reported_and_the_application_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def failing(*_: object, **__: object) -> None:
        raise ValueError("no space left")

    async def is_reported() -> bool | None:
        return "the views could not be rebuilt: no space left" in caplog.text or None

    monkeypatch.setattr(background_rebuild, "rebuild", failing)
    async with mounted(app_with(tmp_path, FACTCHECK)) as http:
        delete_views(tmp_path)
        assert await poll(is_reported, interval=0.05, timeout=LONG)
        assert (await http.get("/content/")).status_code == 200
