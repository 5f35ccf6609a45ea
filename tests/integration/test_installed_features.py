"""An installed package adds settings, a command and routes; a package that cannot be loaded stops the program."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import httpx2
import msgspec
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from ledgerpress.commands.client_identity import LOCAL_OPERATOR, FixedIdentity, Unauthenticated
from ledgerpress.feature import ErrorCode, FeatureSet, PermissionDenied, Rejection
from ledgerpress.features.feeds.routes import routes as feed_routes
from ledgerpress.features.registry import FIRST_PARTY
from ledgerpress.http.app import make_app
from ledgerpress.http.feature_path_conflicts import RESERVED
from ledgerpress.http.feature_routes import RouteContext
from ledgerpress.server.store import open_store
from tests.contract.stars_feature import STARS

MODULE: Final = """
from typing import Annotated
import msgspec
from ledgerpress.feature import Feature

class Settings(msgspec.Struct, frozen=True, kw_only=True):
    most: Annotated[int, msgspec.Meta(ge=1, description="The most stars that a post can have.")] = 5

def rate(stars: int) -> None:
    print(f"rated {stars}")

FEATURE = Feature(name="stars", settings="ledgerpress_stars:Settings", cli="ledgerpress_stars:rate")
"""


UNPERMITTED: Final = """
from ledgerpress.feature import Feature

def __getattr__(name):
    import strawberry
    from ledgerpress.feature.schema import SchemaContribution
    if name != "SCHEMA":
        raise AttributeError(name)
    @strawberry.type
    class Queries:
        stars: int = strawberry.field(resolver=lambda: 5)
    return SchemaContribution(query=Queries)
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A directory with an installed package."""
    site = tmp_path / "site"
    metadata = site / "ledgerpress_stars-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: ledgerpress-stars\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[ledgerpress.features]\nstars = ledgerpress_stars:FEATURE\n")
    (site / "ledgerpress_stars.py").write_text(MODULE)
    return site


def ledgerpress(site: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ledgerpress", *arguments],
        cwd=site,
        env={**os.environ, "PYTHONPATH": str(site), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_settings_of_a_package_are_a_section(site: Path) -> None:
    printed = ledgerpress(site, "settings", "--json", LEDGERPRESS_X_STARS_MOST="3")
    assert json.loads(printed.stdout)["settings"]["x_stars.most"] == {
        "value": 3,
        "source": "LEDGERPRESS_X_STARS_MOST in the environment",
    }
    (site / "ledgerpress.toml").write_text("[x_stars]\nmost = 0\nleast = 1\n")
    rejected = ledgerpress(site, "settings")
    assert rejected.returncode == 2
    assert "x_stars.least in ledgerpress.toml is not a setting" in rejected.stderr


def test_the_command_of_a_package_is_a_command_of_the_program(site: Path) -> None:
    assert ledgerpress(site, "stars", "4").stdout == "rated 4\n"
    assert "stars" in ledgerpress(site, "--help").stdout
    assert ledgerpress(site, "suns").returncode == 2


def as_dist_info(site: Path, metadata: Path) -> Path:
    return site


def as_egg_info(site: Path, metadata: Path) -> Path:
    metadata.rename(site / "ledgerpress_stars.egg-info")
    (site / "ledgerpress_stars.egg-info/METADATA").rename(site / "ledgerpress_stars.egg-info/PKG-INFO")
    return site


def as_zip_file(site: Path, metadata: Path) -> Path:
    archive = site.parent / "stars.zip"
    with zipfile.ZipFile(archive, "w") as written:
        for path in sorted(site.rglob("*")):
            written.write(path, path.relative_to(site))
    return archive


def as_finder(site: Path, metadata: Path) -> Path:
    """Move the metadata to where only a finder of another package finds them."""
    hidden = site.parent / "hidden"
    hidden.mkdir()
    metadata.rename(hidden / metadata.name)
    (site / "sitecustomize.py").write_text(
        "import sys\n"
        "from importlib import metadata\n"
        "class Finder(metadata.DistributionFinder):\n"
        "    def find_spec(self, *_): return None\n"
        "    def find_distributions(self, context=metadata.DistributionFinder.Context()):\n"
        f"        return metadata.MetadataPathFinder.find_distributions(metadata.DistributionFinder.Context(path=[{str(hidden)!r}]))\n"
        "sys.meta_path.append(Finder())\n"
    )
    return site


@pytest.mark.parametrize("installed", [as_dist_info, as_egg_info, as_zip_file, as_finder])
def test_a_package_is_found_however_it_is_installed(
    site: Path, installed: Callable[[Path, Path], Path]
) -> None:
    path = installed(site, next(site.glob("*.dist-info")))
    program = "from ledgerpress.features.third_party_loading import installed_entry_points as f; print(*f())"
    environment = {**os.environ, "PYTHONPATH": str(path)}
    printed = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert "value='ledgerpress_stars:FEATURE'" in printed.stdout


def test_a_package_that_cannot_be_loaded_stops_the_program(site: Path) -> None:
    (site / "ledgerpress_stars.py").write_text("import nothing_of_this_name")
    stopped = ledgerpress(site, "status")
    assert stopped.returncode == 3
    assert (
        "ledgerpress_stars:FEATURE of ledgerpress-stars cannot be loaded: ModuleNotFoundError"
        in stopped.stderr
    )
    assert "Traceback" not in stopped.stderr


@pytest.mark.parametrize(
    ("source", "arguments", "message"),
    [
        ("import sys; sys.exit(0)", ["status"], "cannot be loaded: SystemExit: 0"),
        ('cli="nope:cli"', ["--help"], "feature stars: cli='nope:cli' cannot be loaded: ModuleNotFoundError"),
        ('cli="builtins:dict"', ["stars"], "feature stars: cli='builtins:dict' is not a function"),
        ('settings="nope:S"', ["settings"], "feature stars: settings='nope:S' cannot be loaded"),
        ('schema="nope:S"', ["serve", "--port", "0"], "feature stars: schema='nope:S' cannot be loaded"),
        (
            'schema="ledgerpress_stars:SCHEMA"',
            ["serve", "--port", "0"],
            "Query.stars has no declared permission",
        ),
    ],
)
def test_a_mistake_in_a_package_is_reported_in_one_line(
    site: Path, source: str, arguments: list[str], message: str
) -> None:
    module = (
        source
        if source.startswith("import")
        else f'{UNPERMITTED}\nFEATURE = Feature(name="stars", {source})\n'
    )
    (site / "ledgerpress_stars.py").write_text(module)
    stopped = ledgerpress(site, *arguments)
    assert stopped.returncode == 3
    last = stopped.stderr.splitlines()[-1]
    assert last.startswith("ledgerpress: ")
    assert message in last
    assert "Traceback" not in stopped.stderr


class Settings(msgspec.Struct, frozen=True):
    most: int = 5


def routes(context: RouteContext) -> list[BaseRoute]:
    async def rate(request: Request) -> Response:
        identity = await context.identify(request)
        assert isinstance(context.settings, Settings)
        return JSONResponse({"role": identity.role, "most": context.settings.most})

    async def fail(request: Request) -> Response:
        raise ERRORS[request.path_params["error"]]

    async def link(request: Request) -> Response:
        return JSONResponse({"link": context.url(request, "/stars")})

    return [
        Route("/stars", rate, methods=["POST"]),
        Route("/stars/link", link),
        Route("/stars/fails/{error}", fail),
    ]


ERRORS = {
    "token": Unauthenticated("The token is not known."),
    "permission": PermissionDenied("x.stars:write"),
    "nothing": Rejection(ErrorCode.NOT_FOUND, "There is no such post.", field=("id",)),
    "stars": Rejection("X_STARS_MANY", "At most five stars."),
}


async def test_the_routes_of_a_package_accept_any_method_and_know_the_client(tmp_path: Path) -> None:
    features = FeatureSet(FIRST_PARTY, third_party=[replace(STARS, routes=f"{__name__}:routes")])
    async with open_store(tmp_path / "data", features=features) as store:
        authenticator = FixedIdentity(LOCAL_OPERATOR)
        app = make_app(
            store,
            features.graphql_schema(),
            authenticator=authenticator,
            pages=features.page_contributions(),
            routes=features.routes(lambda _: RouteContext(store, authenticator, Settings(most=3))),
        )
        feature_paths = {path for part in features.page_contributions() for path in part.routes}
        other_paths = {getattr(route, "path", "") for route in app.routes} - feature_paths - {"/{path:path}"}
        own_routes = feed_routes(RouteContext(store, authenticator))
        own_paths = {getattr(route, "path", "") for route in own_routes}
        assert [path for path in other_paths - own_paths if not path.startswith((*RESERVED, "/stars"))] == []
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
            assert (await http.post("/stars")).json() == {"role": "admin", "most": 3}
            assert (await http.get("/stars")).status_code == 404

            statuses = {name: (await http.get(f"/stars/fails/{name}")).status_code for name in ERRORS}
            assert statuses == {"token": 401, "permission": 403, "nothing": 404, "stars": 422}
            unknown = await http.get("/stars/fails/token")
            assert unknown.headers["WWW-Authenticate"].startswith('Bearer realm="LedgerPress"')
            rejected = await http.get("/stars/fails/stars")
            assert rejected.json() == {"error": "At most five stars.", "code": "X_STARS_MANY", "field": []}
        mounted = httpx2.ASGITransport(app=app, root_path="/site")
        async with httpx2.AsyncClient(transport=mounted, base_url="http://localhost") as http:
            assert (await http.get("/site/stars/link")).json() == {"link": "/site/stars"}


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ("SHEMA", "schema='ledgerpress_stars:SHEMA' cannot be loaded: AttributeError"),
        ("SCHEMA", "Query.stars has no declared permission"),
    ],
)
def test_an_invalid_schema_stops_the_server_with_one_line(schema: str, reason: str, site: Path) -> None:
    (site / "ledgerpress_stars.py").write_text(
        "import strawberry\n"
        "from ledgerpress.feature import Feature\n"
        "from ledgerpress.feature.schema import SchemaContribution\n"
        "@strawberry.type\n"
        "class Queries:\n"
        "    stars: int = 5\n"
        "SCHEMA = SchemaContribution(query=Queries)\n"
        f"FEATURE = Feature(name='stars', schema='ledgerpress_stars:{schema}')\n"
    )
    stopped = ledgerpress(site, "serve", "--port", "0")
    assert stopped.returncode == 3
    assert stopped.stderr.splitlines()[-1].startswith(f"ledgerpress: feature stars: {reason}")
    assert "Traceback" not in stopped.stderr
