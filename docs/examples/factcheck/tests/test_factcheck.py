"""The fact checks, in a store on each engine, through GraphQL and as a page."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any, Final

import httpx2
import pytest

import ledgerpress_factcheck
from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR, FixedIdentity, Identity, identity
from ledgerpress.commands.errors import Rejection
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.feature import FeatureSet
from ledgerpress.features.posts import CreatePost, PublishPost
from ledgerpress.features.registry import FIRST_PARTY
from ledgerpress.graphql.cached_executor import CachedExecutor
from ledgerpress.graphql.executor import Executor
from ledgerpress.graphql.relay import global_ids
from ledgerpress.http.app import make_app
from ledgerpress.operator.verify import verify_log, verify_views
from ledgerpress.server.store import Store, open_store
from ledgerpress.server.views_rebuild import rebuild
from ledgerpress_factcheck.commands import CHECK, CheckPost
from ledgerpress_factcheck.model import CHECKS
from tests.cached_documents import execute_cached

ROOT: Final = Path(__file__).parents[4]
PACKAGE: Final = Path(__file__).parents[1]
FEATURES: Final = FeatureSet(FIRST_PARTY, third_party=[ledgerpress_factcheck.FEATURE])
CHECKS_OF: Final = "query ($id: ID!) { article(id: $id) { factChecks { passed note } } }"
CHECKED: Final = "{ checkedArticles { totalCount nodes { title } } }"
CREATE: Final = "mutation ($input: PostCreateInput!) { postCreate(input: $input) { position post { id } userErrors { code } } }"
RECORD: Final = (
    "mutation ($input: PostCheckInput!) { postCheck(input: $input) { position userErrors { code } } }"
)
PUBLISH: Final = (
    "mutation ($id: ID!) { postPublish(input: {id: $id}) { position userErrors { code message } } }"
)


@dataclass
class Desk:
    store: Store
    data: Path
    url: str
    cache: CachedExecutor

    async def ask(self, document: str, who: Identity = LOCAL_OPERATOR, **variables: Any) -> dict[str, Any]:
        """Execute an operation, without the cache, and return its data."""
        executor = Executor(FEATURES.graphql_schema())
        result = await executor.execute_document(self.store, document, variables=variables, identity=who)
        assert "errors" not in result.body, result.body
        data: dict[str, Any] = result.body["data"]
        return data

    async def executes(self, document: str, **variables: Any) -> bool:
        """Ask as a reader, and return whether the answer was executed, and not cached."""
        before = self.cache.counts.executed
        await execute_cached(self.cache, self.store, document, variables=variables, identity=ANONYMOUS)
        return self.cache.counts.executed > before

    async def article(self, title: str) -> str:
        """Create and publish a post; return its id."""
        command = CreatePost(title=title, body="Low.", publish=True)
        return (await self.store.commands.handle(command)).subject_id

    async def check(self, post_id: str, *, passed: bool) -> int:
        return (await self.store.commands.handle(CheckPost(post_id, passed, ""))).position


@pytest.fixture
async def desk(tmp_path: Path, log_url: str) -> AsyncIterator[Desk]:
    data = tmp_path / "data"
    async with open_store(data, log=log_url, features=FEATURES) as store:
        yield Desk(store, data, log_url, CachedExecutor(Executor(FEATURES.graphql_schema())))


async def test_a_post_that_failed_is_not_published_until_it_passes(desk: Desk) -> None:
    created = await desk.ask(
        CREATE, input={"title": "Tide", "factCheck": {"passed": False, "note": "Wrong."}}
    )
    post = created["postCreate"]["post"]["id"]
    (error,) = (await desk.ask(PUBLISH, id=post))["postPublish"]["userErrors"]
    assert error["code"] == "X_FACTCHECK_FAILED"
    await desk.ask(RECORD, input={"id": post, "check": {"passed": True}})
    assert (await desk.ask(PUBLISH, id=post))["postPublish"]["userErrors"] == []
    article = global_ids.encode("Article", global_ids.argument(post, "Post"))
    assert (await desk.ask(CHECKS_OF, id=article))["article"]["factChecks"] == [
        {"passed": False, "note": "Wrong."},
        {"passed": True, "note": ""},
    ]


async def test_a_post_that_fails_as_it_is_created_is_not_published_in_the_same_step(desk: Desk) -> None:
    head = await desk.store.log.head()
    post = {"title": "Tide", "publish": True, "factCheck": {"passed": False}}
    (error,) = (await desk.ask(CREATE, input=post))["postCreate"]["userErrors"]
    assert (error["code"], await desk.store.log.head()) == ("X_FACTCHECK_FAILED", head)


async def test_of_two_racing_commands_one_cannot_bypass_the_guard(desk: Desk) -> None:
    """Two nodes check and publish at the same moment: if the check is recorded first, the publication is rejected."""
    async with open_store(desk.data.with_name("other"), log=desk.url, features=FEATURES) as other:
        for number in range(10):
            post = (await desk.store.commands.handle(CreatePost(title=f"Tide {number}"))).subject_id
            checked, published = await asyncio.gather(
                desk.check(post, passed=False),
                other.commands.handle(PublishPost(post_id=post)),
                return_exceptions=True,
            )
            assert isinstance(checked, int)
            if isinstance(published, BaseException):
                assert isinstance(published, Rejection)
                assert published.code == "X_FACTCHECK_FAILED"
            else:
                assert published.position < checked


async def test_a_check_takes_the_permission(desk: Desk) -> None:
    post = await desk.article("Tide")
    author = identity(Role.AUTHOR, "00000000-0000-8000-8000-0000000000aa", roles=FEATURES.roles)
    editor = identity(Role.EDITOR, author.actor_id, roles=FEATURES.roles)
    only_posts = identity(
        Role.EDITOR, author.actor_id, roles=FEATURES.roles, scopes=frozenset({"posts:write"})
    )
    check = {"input": {"id": global_ids.encode("Post", post), "check": {"passed": True}}}
    first = {"input": {"title": "Ebb", "factCheck": {"passed": True}}}
    executor, head = Executor(FEATURES.graphql_schema()), await desk.store.log.head()
    for who in (ANONYMOUS, author, only_posts):
        for document, variables in ((RECORD, check), (CREATE, first)):
            result = await executor.execute_document(desk.store, document, variables=variables, identity=who)
            code = result.body["errors"][0]["extensions"]["code"]
            assert code == ("UNAUTHENTICATED" if who is ANONYMOUS else "FORBIDDEN")
    assert await desk.store.log.head() == head
    assert (await desk.ask(RECORD, editor, **check))["postCheck"]["userErrors"] == []
    assert CHECK in editor.permissions


async def test_any_past_moment_shows_the_checks_of_that_moment(desk: Desk) -> None:
    post, other = await desk.article("Tide"), await desk.article("Ebb")
    positions = [
        await desk.check(post, passed=False),
        await desk.check(post, passed=True),
        await desk.check(other, passed=True),
    ]
    document = """query ($id: ID!, $at: Position!) {
        article(id: $id, asOf: {position: $at}) { factChecks { passed } }
        checkedArticles(asOf: {position: $at}) { totalCount nodes { title } } }"""
    seen = []
    for position in (positions[0] - 1, *positions):
        data = await desk.ask(document, id=global_ids.encode("Article", post), at=position)
        listing = data["checkedArticles"]
        titles = sorted(node["title"] for node in listing["nodes"])
        assert listing["totalCount"] == len(titles)
        seen.append(([check["passed"] for check in data["article"]["factChecks"]], titles))
    assert seen == [
        ([], []),
        ([False], ["Tide"]),
        ([False, True], ["Tide"]),
        ([False, True], ["Ebb", "Tide"]),
    ]


async def test_a_check_takes_exactly_the_cached_answers_that_show_it(desk: Desk) -> None:
    post, other = await desk.article("Tide"), await desk.article("Ebb")
    ids = [global_ids.encode("Article", one) for one in (post, other)]
    await desk.check(other, passed=True)
    for expected in (True, False):
        assert [await desk.executes(CHECKS_OF, id=id) for id in ids] == [expected, expected]
        assert await desk.executes(CHECKED) == expected
    await desk.check(post, passed=True)
    assert [await desk.executes(CHECKS_OF, id=id) for id in ids] == [True, False]
    assert await desk.executes(CHECKED)
    await desk.check(post, passed=True)  # it is in the listing already
    assert not await desk.executes(CHECKED)


async def test_rebuilt_views_equal_those_that_followed_the_log(desk: Desk) -> None:
    for number in range(5):
        post = await desk.article(f"Tide {number}")
        for passed in (False, True)[: number % 3]:
            await desk.check(post, passed=passed)
    views = await verify_views(desk.data, log=desk.url, features=FEATURES)
    assert views is not None
    assert (views.failure, views.differing) == (None, [])
    assert views.tables["x_factcheck_check"].rows > 0
    verification = await verify_log(desk.data, log=desk.url, features=FEATURES)
    assert (verification.finding, verification.unknown) == (None, {})


async def test_views_are_rebuilt_and_switched_while_they_are_served(desk: Desk) -> None:
    post = await desk.article("Tide")
    await desk.check(post, passed=True)
    before = desk.store.views.path
    compared = await rebuild(desk.data, log=desk.url, features=FEATURES)
    assert compared is not None
    assert compared.tables == []
    async with asyncio.timeout(30):
        while desk.store.views.path == before:
            assert (await desk.ask(CHECKED))["checkedArticles"]["totalCount"] == 1
            await asyncio.sleep(0.05)
    assert (await desk.ask(CHECKED))["checkedArticles"]["totalCount"] == 1


async def test_the_page_lists_checked_articles(desk: Desk) -> None:
    await desk.article("Ebb")
    await desk.check(await desk.article("Tide"), passed=True)
    app = make_app(
        desk.store,
        FEATURES.graphql_schema(),
        authenticator=FixedIdentity(ANONYMOUS),
        pages=FEATURES.page_contributions(),
    )
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
        page = (await http.get("/factchecks")).text
        front = (await http.get("/")).text
        no_cursor = await http.get("/factchecks?after=tide")
    mounted = httpx2.ASGITransport(app=app, root_path="/content")
    async with httpx2.AsyncClient(transport=mounted, base_url="http://localhost") as http:
        page_under_prefix = (await http.get("/content/factchecks")).text
    assert "Tide</a>" in page
    assert "Ebb</a>" not in page
    assert '<a href="/factchecks">Fact checks</a>' in front
    assert no_cursor.status_code == 404
    assert '<a href="/content/articles/tide">Tide</a>' in page_under_prefix


def test_the_state_of_a_stream_is_the_last_check() -> None:
    check = ledgerpress_factcheck.model.PostChecked
    states = [CHECKS.initial]
    for passed in (False, True):
        states.append(CHECKS.evolve(states[-1], check(post_id="p", passed=passed, note="")))
    assert states == [None, False, True]


def test_it_takes_less_than_two_hundred_lines() -> None:
    files = [path for path in (PACKAGE / "src").rglob("*") if path.suffix in {".py", ".html"}]
    lines = [line for path in files for line in path.read_text().splitlines() if line.strip()]
    assert len(lines) < 200


def test_the_how_to_shows_the_example_as_it_is() -> None:
    page = (ROOT / "docs" / "how-to" / "extend.md").read_text()
    sources = [path.read_text() for path in (PACKAGE / "src").rglob("*.py")]
    blocks = [
        dedent(block) for block in re.findall(r"^ *```python\n(.*?)^ *```", page, re.DOTALL | re.MULTILINE)
    ]
    shown = [part for block in blocks for part in block.split("\n\n\n")]
    # The last block is of a test, and the one with the permission has lines of two places.
    missing = [part for part in shown if not any(part.strip() in source for source in sources)]
    assert [part.partition("\n")[0] for part in missing] == [
        blocks[2].partition("\n")[0],
        blocks[-1].partition("\n")[0],
    ]


def test_the_program_finds_the_installed_package(tmp_path: Path) -> None:
    """Installed as any package, it is loaded by its entry point; uninstalled, its events are counted."""
    site, data = tmp_path / "site", tmp_path / "data"
    install = [
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        str(site),
        str(PACKAGE),
    ]
    subprocess.run([sys.executable, "-m", *install], check=True, cwd=ROOT)

    def ledgerpress(*arguments: str, path: str = "") -> str:
        command = [sys.executable, "-m", "ledgerpress", *arguments]
        environment = {**os.environ, "PYTHONPATH": path}
        done = subprocess.run(
            command, check=True, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        return done.stdout

    (tmp_path / "schema").mkdir()
    ledgerpress("schema", "--installed", path=str(site))
    assert "factChecks" in (tmp_path / "schema" / "schema.graphql").read_text()
    scope = ("--role", "editor", "--scope", "x.factcheck:write")
    asyncio.run(_record_one_check(data))
    assert ledgerpress("token", "create", "Desk", *scope, "--data", str(data), path=str(site)).startswith(
        "lp_"
    )
    assert "not installed" not in ledgerpress("verify", "--data", str(data), path=str(site))
    assert "1 events have types of features that are not installed" in ledgerpress(
        "verify", "--data", str(data)
    )


async def _record_one_check(data: Path) -> None:
    async with open_store(data, features=FEATURES) as store:
        post = (await store.commands.handle(CreatePost(title="Tide"))).subject_id
        await store.commands.handle(CheckPost(post, True, ""))
