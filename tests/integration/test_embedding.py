"""LedgerPress mounted under a prefix in another application: the examples of docs/how-to/embed.md, and edge cases."""

import ast
import asyncio
import gc
import logging
import re
import resource
import signal
import subprocess
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from graphql import get_introspection_query
from starlette.applications import Starlette
from starlette.routing import Mount

import ledgerpress
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.features.site import LocalizeSite
from ledgerpress.server.embedded_app import SETTINGS_OF_HOST
from ledgerpress.server.settings import InvalidSettings
from ledgerpress.server.settings.introspection import declared
from tests.integration.embedded_host import EXAMPLES, FASTAPI, STARLETTE, example, new_token, served
from tests.integration.site_under_prefix import HTML, check_site, create_article, edit_article
from tests.integration.sse_client import opened

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "embed.md"


@dataclass(frozen=True, slots=True)
class Place:
    """How clients reach the host application: the prefix that they see, and the headers that a proxy adds."""

    prefix: str
    headers: Mapping[str, str]
    environment: Mapping[str, str]
    is_unix: bool = False


PLACES = {
    "port": Place("/content", {}, {}),
    "proxy": Place(
        "/site/content", {"X-Forwarded-Prefix": "/site"}, {"LEDGERPRESS_TRUSTED_PROXIES": "127.0.0.1"}
    ),
    "untrusted proxy": Place("/content", {"X-Forwarded-Prefix": "/site"}, {}),
    "unix": Place(
        "/site/content",
        {"X-Forwarded-Prefix": "/site"},
        {"LEDGERPRESS_TRUSTED_PROXIES": "*"},
        is_unix=True,
    ),
}


@pytest.mark.parametrize("name", [STARLETTE, FASTAPI])
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
async def test_the_examples_serve_everything_under_their_prefix(
    place: Place, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {"LEDGERPRESS_HTTP_GRAPHIQL": "true", **place.environment}
    app, content = example(monkeypatch, tmp_path / "data", environment, name=name)
    socket = tmp_path / "host.sock" if place.is_unix else None
    async with served(app, unix=socket, headers=place.headers) as host:
        await check_site(host, "/content", place.prefix, await new_token(tmp_path / "data", Role.EDITOR))
        if name == STARLETTE:
            assert (await host.http.get("/")).text == "The newsroom's own application.\n"
        else:
            assert (await host.http.get("/position")).json() == {"position": content.store.position}


async def test_former_slugs_and_other_spellings_redirect_below_the_prefix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, _ = example(monkeypatch, tmp_path / "data")
    async with served(app) as host:
        token = await new_token(tmp_path / "data", Role.EDITOR)
        await create_article(host, "/content", token, "The tide mill", "mill")
        await edit_article(host, "/content", token, "mill", slug="tide-mill")
        for path in ("articles/mill", "articles/mill/", "Articles/Tide-Mill", "articles/tide-mill/"):
            for query in ("", "?utm_source=news"):
                redirect = await host.http.get(f"/content/{path}{query}")
                assert redirect.status_code == 301
                assert redirect.headers["location"] == f"/content/articles/tide-mill{query}"
        assert (await host.http.get("/content/articles/none/")).status_code == 404


@pytest.mark.parametrize("name", [STARLETTE, FASTAPI])
async def test_the_guide_shows_the_examples_that_are_tested(name: str) -> None:
    code = (EXAMPLES / f"{name}.py").read_text("utf-8")
    assert code.partition('"""\n\n')[2].strip() in GUIDE.read_text("utf-8")


async def test_graphiql_can_load_the_schema_with_the_settings_of_the_guide(tmp_path: Path) -> None:
    match = re.search(r"settings=(\{\n.*?\n    \})", GUIDE.read_text("utf-8"), re.DOTALL)
    assert match is not None
    content = ledgerpress.create_app(tmp_path, environment={}, settings=ast.literal_eval(match[1]))
    async with content.lifespan():
        transport = httpx2.ASGITransport(app=content)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
            response = await http.post("/graphql", json={"query": get_introspection_query()})
            assert "errors" not in response.json()


async def test_the_guide_lists_every_setting_that_has_no_effect() -> None:
    guide = GUIDE.read_text("utf-8")
    sections = {name.partition(".")[0] for name in SETTINGS_OF_HOST}
    covered_sections = {
        section
        for section in sections
        if all(name in SETTINGS_OF_HOST for name in declared() if name.startswith(f"{section}."))
    }
    for name in SETTINGS_OF_HOST:
        section = name.partition(".")[0]
        assert f"`{section}.*`" in guide if section in covered_sections else f"`{name}`" in guide


async def test_nothing_in_the_process_changes(tmp_path: Path) -> None:
    def process_state() -> object:
        root = logging.getLogger()
        loggers = [
            (name, logger.level, logger.handlers, logger.propagate)
            for name, logger in sorted(root.manager.loggerDict.items())
            if isinstance(logger, logging.Logger) and (logger.level or logger.handlers)
        ]
        return (
            (root.level, list(root.handlers), loggers),
            [
                signal.getsignal(number)
                for number in signal.Signals
                if number not in {signal.SIGKILL, signal.SIGSTOP}
            ],
            [resource.getrlimit(kind) for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_AS)],
            (sys.getswitchinterval(), gc.get_freeze_count(), gc.get_threshold(), gc.isenabled()),
            (warnings.showwarning, sys.excepthook, type(asyncio.get_event_loop_policy())),
        )

    before = process_state()
    content = ledgerpress.create_app(tmp_path, profile="development", environment={})
    async with content.lifespan():
        transport = httpx2.ASGITransport(app=content)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
            long = "{ __typename } #" + "." * 5_000  # long enough to be checked in a thread
            assert (await http.post("/graphql", json={"query": long})).status_code == 200
        assert process_state() == before
    assert process_state() == before
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_importing_the_package_imports_no_web_framework() -> None:
    code = (
        "import sys, ledgerpress; print(ledgerpress.__version__, {'starlette', 'strawberry'} & set(sys.modules));"
        "ledgerpress.create_app; print('starlette' in sys.modules)"
    )
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout  # noqa: ASYNC221
    assert output == f"{ledgerpress.__version__} set()\nTrue\n"
    with pytest.raises(AttributeError, match="no attribute 'create_ap'"):
        ledgerpress.create_ap  # noqa: B018


async def test_a_request_without_the_lifespan_fails_with_the_reason(tmp_path: Path) -> None:
    content = ledgerpress.create_app(tmp_path, environment={})
    host = Starlette(routes=[Mount("/content", content)])
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=host), base_url="http://test") as http:
        with pytest.raises(RuntimeError, match="must run the lifespan"):
            await http.get("/content/")


async def test_the_lifespan_can_run_again_but_not_concurrently(tmp_path: Path) -> None:
    content = ledgerpress.create_app(tmp_path, environment={})
    transport = httpx2.ASGITransport(app=content)
    for _ in range(2):
        async with content.lifespan():
            async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
                assert (await http.get("/")).status_code == 200
            with pytest.raises(RuntimeError, match="is already running"):
                async with content.lifespan():
                    pass


async def test_a_server_runs_the_lifespan_of_an_application_that_is_not_mounted(tmp_path: Path) -> None:
    async with served(ledgerpress.create_app(tmp_path, environment={})) as host:
        page = await host.http.get("/")
        assert page.status_code == 200
        assert 'href="/graphql"' in page.text


async def test_translations_of_the_operator_replace_those_of_ledgerpress(tmp_path: Path) -> None:
    folder = tmp_path / "translations"
    folder.mkdir()
    (folder / "de.po").write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\nmsgid "Latest"\nmsgstr "Frisch gedruckt"\n',
        "utf-8",
    )
    settings = {"server.translations": str(folder)}
    content = ledgerpress.create_app(tmp_path / "data", environment={}, settings=settings)
    async with served(content) as host:
        await content.store.execute(LocalizeSite(language="de-CH"))
        page = (await host.http.get("/")).text
        assert ">Frisch gedruckt</h2>" in page
        assert ">Zum Inhalt springen</a>" in page
    (folder / "de.po").write_text('msgid "By {authors}"\nmsgstr "Von {author}"\n', "utf-8")
    with pytest.raises(
        InvalidSettings, match=r"server\.translations: .*de\.po: “Von {author}” has the placeholder"
    ):
        async with ledgerpress.create_app(tmp_path / "data", environment={}, settings=settings).lifespan():
            pass


async def test_a_host_may_omit_its_prefix_from_the_path(tmp_path: Path) -> None:
    content = ledgerpress.create_app(tmp_path, environment={})
    host = Starlette(routes=[Mount("/content", content)])
    async with content.lifespan():
        transport = httpx2.ASGITransport(app=host, root_path="/site")  # as FastAPI(root_path="/site") does
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
            page = await http.get("/content/")
            assert page.status_code == 200
            assert 'href="/site/content/graphql"' in page.text
            response = await http.post("/content/graphql", json={"query": "{ __typename }"})
            assert response.json()["data"] == {"__typename": "Query"}


async def test_streams_end_when_the_host_begins_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, content = example(monkeypatch, tmp_path / "data")
    async with served(app) as host:
        async with opened(
            host.http, "POST", "/content/graphql", "subscription { recentPosts(first: 1) { totalCount } }"
        ) as stream:
            await stream.next()
            assert (await host.http.get("/content/health/ready")).status_code == 200
            content.begin_to_stop()
            await stream.rest()
        ready = await host.http.get("/content/health/ready")
        assert (ready.status_code, ready.json()["status"]) == (503, "stopping")


@pytest.mark.parametrize("name", SETTINGS_OF_HOST)
async def test_a_setting_without_effect_is_rejected_with_the_reason(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match=f"{name} has no effect in an embedded application: .{{20}}"):
        ledgerpress.create_app(tmp_path, environment={}, settings={name: 1})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"http.graphiqll": True}, "http.graphiqll is not a setting: did you mean http.graphiql?"),
        ({"profile": "development"}, "profile is not a setting"),
        ({"http.max_body_bytes": 0}, r"http.max_body_bytes from create_app\(\) is 0"),
        ({"access.anonymous_role": "ADMIN"}, "access.anonymous_role"),
        ({"access.anonymous_role": "admin"}, "access.anonymous_role"),
    ],
)
async def test_invalid_settings_are_rejected(
    settings: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidSettings, match=message):
        ledgerpress.create_app(tmp_path, environment={}, settings=settings)


async def test_only_the_call_chooses_the_profile_and_production_is_the_default(tmp_path: Path) -> None:
    content = ledgerpress.create_app(tmp_path, environment={"LEDGERPRESS_PROFILE": "development"})
    async with content.lifespan():
        transport = httpx2.ASGITransport(app=content)
        async with httpx2.AsyncClient(transport=transport, base_url="http://news.example.org") as http:
            assert "graphiql" not in (await http.get("/graphql", headers=HTML)).text.lower()
            assert (await http.get("/metrics")).status_code == 401
            assert (
                await http.get("/")
            ).status_code == 200  # any host name: the surrounding application checks it
