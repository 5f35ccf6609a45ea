"""Servers behind nginx with a path prefix: an embedding application and `ledgerpress serve`, on a port or a Unix socket."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.retry import poll
from tests.integration import embedded_host
from tests.integration.embedded_host import FASTAPI, STARLETTE, client_of, new_token
from tests.integration.nginx import proxied
from tests.integration.server_process import Servers
from tests.integration.site_under_prefix import HTML, check_site
from tests.integration.test_client_failures import lines
from tests.integration.test_pages import Outline

TRUSTED = "LEDGERPRESS_TRUSTED_PROXIES"
CODE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How the host is started and how nginx handles the prefix /site."""

    app: str = f"{FASTAPI}:app"
    options: tuple[str, ...] = ()
    environment: Mapping[str, str]
    code: Path = embedded_host.EXAMPLES
    is_unix: bool = False
    keeps_prefix: bool = False
    header: str = ""
    path: str = "/site/content"
    own_page: str | None = "/site/position"


SETUPS = {
    "nginx sends the prefix that it removes": Setup(
        options=("--no-proxy-headers",), environment={TRUSTED: "127.0.0.1"}, header="/site"
    ),
    "Starlette": Setup(
        app=f"{STARLETTE}:app",
        options=("--no-proxy-headers",),
        environment={TRUSTED: "127.0.0.1"},
        header="/site",
        own_page="/site/",
    ),
    "a Unix socket": Setup(environment={TRUSTED: "*"}, is_unix=True, header="/site"),
    "uvicorn knows the prefix that nginx removes": Setup(options=("--root-path", "/site"), environment={}),
    "uvicorn knows the prefix, on a Unix socket": Setup(
        options=("--root-path", "/site"), environment={}, is_unix=True
    ),
    "FastAPI knows the prefix that nginx keeps": Setup(
        app="fastapi_host:app",
        code=CODE,
        environment={"HOST_ROOT_PATH": "/site"},
        keeps_prefix=True,
        own_page="/site/openapi.json",
    ),
    "LedgerPress alone on a Unix socket": Setup(
        app="ledgerpress:create_app",
        options=("--factory",),
        environment={TRUSTED: "*"},
        is_unix=True,
        header="/site",
        path="/site",
        own_page=None,
    ),
}


@pytest.mark.parametrize("setup", SETUPS.values(), ids=SETUPS.keys())
async def test_an_embedding_application_works_under_a_prefix(setup: Setup, tmp_path: Path) -> None:
    data = tmp_path / "data"
    environment = {
        "LEDGERPRESS_DATA": str(data),
        "LEDGERPRESS_HTTP_GRAPHIQL": "true",
        "PYTHONWARNINGS": "ignore",
        **setup.environment,
    }
    unix = tmp_path / "host.sock" if setup.is_unix else None
    async with (
        embedded_host.process(
            setup.app, tmp_path, *setup.options, environment=environment, code=setup.code, unix=unix
        ) as address,
        proxied(
            address, tmp_path / "nginx", "/site", keeps_prefix=setup.keeps_prefix, header=setup.header
        ) as proxy,
        client_of(proxy) as host,
    ):
        token = await new_token(data, Role.EDITOR)
        await check_site(host, setup.path, setup.path, token)
        if setup.own_page:
            assert (await host.http.get(setup.own_page)).status_code == 200


@pytest.mark.parametrize("trusted", ["", "10.0.0.0/8"])
async def test_an_embedding_application_ignores_prefixes_from_untrusted_proxies(
    trusted: str, tmp_path: Path
) -> None:
    environment = {"LEDGERPRESS_DATA": str(tmp_path / "data"), TRUSTED: trusted}
    async with (
        embedded_host.process(f"{FASTAPI}:app", tmp_path, environment=environment) as address,
        proxied(address, tmp_path / "nginx", "/site", header="/site") as proxy,
        client_of(proxy) as host,
    ):
        await links_begin_with(host, "/site/content/", "/content/")


@pytest.mark.parametrize(("trusted", "shown"), [("127.0.0.1", "/site"), ("10.0.0.0/8", "")])
async def test_the_program_uses_prefixes_from_trusted_proxies_only(
    trusted: str, shown: str, tmp_path: Path
) -> None:
    async with Servers(tmp_path, {TRUSTED: trusted, "LEDGERPRESS_HTTP_GRAPHIQL": "true"}) as servers:
        server = await servers.start(tmp_path / "data", "--profile", "production")
        async with (
            proxied(
                "{}:{}".format(*await server.address()), tmp_path / "nginx", "/site", header="/site"
            ) as proxy,
            client_of(proxy) as host,
        ):
            if shown:
                await check_site(host, "/site", "/site", await new_token(tmp_path / "data", Role.EDITOR))
            else:
                await links_begin_with(host, "/site/", "/")
        assert await server.stop() == 0


@pytest.mark.parametrize("sent", ["/evil", "//evil.example"])
async def test_clients_cannot_choose_the_prefix(sent: str, tmp_path: Path) -> None:
    async with Servers(tmp_path, {TRUSTED: "127.0.0.1"}) as servers:
        server = await servers.start(tmp_path / "data")
        async with (
            proxied(
                "{}:{}".format(*await server.address()), tmp_path / "nginx", "", keeps_prefix=True
            ) as proxy,
            client_of(proxy, {"X-Forwarded-Prefix": sent}) as host,
        ):
            await links_begin_with(host, "/", "/", but_not="/evil")


@pytest.mark.parametrize("is_unix", [False, True], ids=["port", "Unix socket"])
async def test_the_program_serves_a_site_under_its_root_path(is_unix: bool, tmp_path: Path) -> None:
    environment = {TRUSTED: "*" if is_unix else "127.0.0.1", "LEDGERPRESS_HTTP_GRAPHIQL": "true"}
    options = ("--profile", "production", "--root-path", "/site")
    path = tmp_path / "web.sock"
    async with Servers(tmp_path, environment) as servers:
        if is_unix:
            server = await servers.launch(tmp_path / "data", *options, "--unix-socket", str(path))
            address: str | Path = path
            assert await poll(partial(_accepts, path), interval=0.05, timeout=60)
        else:
            server = await servers.start(tmp_path / "data", *options)
            address = "{}:{}".format(*await server.address())
        async with proxied(address, tmp_path / "nginx", "/site") as proxy, client_of(proxy) as host:
            await check_site(host, "/site", "/site", await new_token(tmp_path / "data", Role.EDITOR))
        assert await server.stop() == 0
        assert not path.exists()
        assert {line["client"] for line in lines(server) if "path" in line} >= {
            "127.0.0.1"
        }  # the address that nginx sent


async def _accepts(path: Path) -> bool | None:
    try:
        _, writer = await asyncio.open_unix_connection(path)
    except OSError:
        return None
    writer.close()
    return True


async def test_pages_of_the_site_may_open_a_websocket_on_any_port(tmp_path: Path) -> None:
    async with Servers(tmp_path, {TRUSTED: "127.0.0.1"}) as servers:
        server = await servers.start(tmp_path / "data", "--profile", "production")
        address = "{}:{}".format(*await server.address())
        async with proxied(address, tmp_path / "nginx", "", keeps_prefix=True) as proxy:
            async with (
                client_of(proxy, {"Origin": f"http://{proxy}"}) as host,
                host.websocket("/graphql") as socket,
            ):
                await socket.quiet()
            async with client_of(proxy, {"Origin": "http://127.0.0.1:1"}) as host:
                with pytest.raises(InvalidStatus, match="403"):
                    async with host.websocket("/graphql"):
                        pass


async def links_begin_with(
    host: embedded_host.Host, path: str, shown: str, *, but_not: str = "/site"
) -> None:
    page = await host.http.get(path, headers=HTML)
    assert page.status_code == 200
    outline = Outline(page)
    links = [link for link in [*outline.links, *outline.loaded] if not link.startswith("#")]
    assert len(links) > 2
    for link in links:
        assert link.startswith(shown)
        assert not link.startswith((but_not, "//"))
