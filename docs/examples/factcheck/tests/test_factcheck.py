"""The rules of the fact checks, on each engine, which the contract suite (test_contract.py) does not know."""

import asyncio
import os
import re
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any, ClassVar, Final

import httpx2
import pytest

import ledgerpress_factcheck
from ledgerpress.feature import AppendPlan, Command, CommandContext, FeatureSet, Rejection, Role, Withdrawn
from ledgerpress.features.posts import CreatePost, PublishPost
from ledgerpress.features.registry import FIRST_PARTY
from ledgerpress.features.site import LocalizeSite
from ledgerpress.testing import ANONYMOUS, StoreClient, open_client
from ledgerpress_factcheck.commands import CHECK, CheckPost, reject_if_failed
from ledgerpress_factcheck.model import CHECKS, PostChecked

ROOT: Final = Path(__file__).parents[4]
PACKAGE: Final = Path(__file__).parents[1]
FEATURES: Final = FeatureSet(FIRST_PARTY, third_party=[ledgerpress_factcheck.FEATURE])
CHECKS_OF: Final = "query ($id: ID!) { article(id: $id) { factChecks { passed note } } }"
CHECKED: Final = "{ checkedArticles { totalCount nodes { title } } }"
CREATE: Final = "mutation ($input: PostCreateInput!) { postCreate(input: $input) { position } }"
RECORD: Final = "mutation ($input: PostCheckInput!) { postCheck(input: $input) { position } }"


@pytest.fixture
async def desk(tmp_path: Path, log_url: str) -> AsyncIterator[StoreClient]:
    async with open_client(FEATURES, tmp_path / "data", log=log_url) as client:
        yield client


@dataclass(frozen=True, slots=True)
class PublishBriefing(Command):
    """A command of another feature, whose subject is a briefing, and which publishes a post."""

    fingerprint_name: ClassVar[str] = "x.briefings.PublishBriefing"
    post_id: str

    async def plan(self, context: CommandContext) -> AppendPlan:
        plan = await PublishPost(post_id=self.post_id).plan(context)
        return AppendPlan("briefing", plan.writes)


async def article(desk: StoreClient, title: str) -> str:
    """Create and publish a post; return its id."""
    return await desk.create(CreatePost(title=title, body="Low.", publish=True))


async def test_a_post_that_failed_is_not_published_until_it_passes(desk: StoreClient) -> None:
    check = {"passed": False, "note": "Wrong."}
    created = await desk.mutate("postCreate", {"title": "Tide", "factCheck": check}, "post { id }")
    post = created["post"]["id"]
    await desk.mutate("postPublish", {"id": post}, rejected="X_FACTCHECK_FAILED")
    await desk.mutate("postCheck", {"id": post, "check": {"passed": True}})
    published = await desk.mutate("postPublish", {"id": post}, "post { article { id } }")
    shown = await desk.graphql(CHECKS_OF, {"id": published["post"]["article"]["id"]})
    assert shown["article"]["factChecks"] == [check, {"passed": True, "note": ""}]


async def test_a_post_that_fails_as_it_is_created_is_not_published_in_the_same_step(
    desk: StoreClient,
) -> None:
    post = {"title": "Tide", "publish": True, "factCheck": {"passed": False}}
    await desk.mutate("postCreate", post, rejected="X_FACTCHECK_FAILED")


async def test_a_check_of_a_post_that_is_not_there_or_has_changed_is_rejected(desk: StoreClient) -> None:
    post = await desk.create(CreatePost(title="Tide"))
    await desk.command(CheckPost("0198c0de", True, ""), rejected="NOT_FOUND")
    await desk.command(CheckPost(post, True, ""), rejected="VERSION_CONFLICT", expected_version=2)
    await desk.command(CheckPost(post, True, ""), expected_version=1, reason="Asked by the desk.")


def test_a_failed_check_rejects_only_the_publication_of_its_post() -> None:
    """The rule checks the posts that are published, not the subject of the command."""
    reject_if_failed(None, [PostChecked(post_id="other", passed=False, note="")], {"post": True})
    with pytest.raises(Rejection):
        reject_if_failed(None, [], {"other": None, "post": False})


async def test_the_rule_holds_for_a_command_that_is_about_something_else(desk: StoreClient) -> None:
    post = await desk.create(CreatePost(title="Tide"))
    await desk.command(CheckPost(post, False, ""))
    await desk.command(PublishBriefing(post), rejected="X_FACTCHECK_FAILED")


async def test_of_two_racing_commands_one_cannot_bypass_the_guard(
    desk: StoreClient, tmp_path: Path, log_url: str
) -> None:
    """Two nodes check and publish at the same moment: if the check is recorded first, the publication is rejected."""
    async with open_client(FEATURES, tmp_path / "other", log=log_url) as other:
        for number in range(10):
            post = await desk.create(CreatePost(title=f"Tide {number}"))
            checked, published = await asyncio.gather(
                desk.command(CheckPost(post, False, "")),
                other.command(PublishPost(post_id=post)),
                return_exceptions=True,
            )
            assert checked is not None
            assert not isinstance(checked, BaseException)
            if isinstance(published, BaseException):
                assert isinstance(published, Rejection)
                assert published.code == "X_FACTCHECK_FAILED"
            else:
                assert published is not None
                assert published.position < checked.position


async def test_a_check_takes_the_permission(desk: StoreClient) -> None:
    """Editors have it. The field of a new post also requires it; the command that creates the post does not."""
    post = await article(desk, "Tide")
    author, editor = desk.identity(Role.AUTHOR), desk.identity(Role.EDITOR)
    only_posts = desk.identity(Role.EDITOR, scopes={"posts:write"})
    check = {"id": desk.global_id("Post", post), "check": {"passed": True}}
    first, head = {"title": "Ebb", "factCheck": {"passed": True}}, await desk.store.log.head()
    for identity in (ANONYMOUS, author, only_posts):
        for document, values in ((RECORD, check), (CREATE, first)):
            (error,) = (await desk.post(document, {"input": values}, identity=identity)).errors
            code = "UNAUTHENTICATED" if identity is ANONYMOUS else "FORBIDDEN"
            assert error["extensions"]["code"] == code
    assert await desk.store.log.head() == head
    await desk.mutate("postCheck", check, identity=editor)
    assert CHECK in editor.permissions


async def test_a_check_takes_exactly_the_cached_answers_that_show_it(desk: StoreClient) -> None:
    post, other = await article(desk, "Tide"), await article(desk, "Ebb")
    ids = [desk.global_id("Article", post_id) for post_id in (post, other)]
    await desk.command(CheckPost(other, True, ""))
    for expected in (True, False):
        assert [await desk.is_executed(CHECKS_OF, {"id": id}) for id in ids] == [expected, expected]
        assert await desk.is_executed(CHECKED) == expected
    await desk.command(CheckPost(post, True, ""))
    assert [await desk.is_executed(CHECKS_OF, {"id": id}) for id in ids] == [True, False]
    assert await desk.is_executed(CHECKED)
    await desk.command(CheckPost(post, True, ""))  # it is in the listing already
    assert not await desk.is_executed(CHECKED)


async def test_every_event_of_the_log_is_known(desk: StoreClient) -> None:
    await desk.command(CheckPost(await article(desk, "Tide"), True, ""))
    assert await desk.verify() == {}


async def test_the_page_lists_checked_articles(desk: StoreClient) -> None:
    await article(desk, "Ebb")
    await desk.command(CheckPost(await article(desk, "Tide"), True, ""))
    page = (await desk.page("/factchecks")).body
    mounted = httpx2.ASGITransport(app=desk.app, root_path="/content")
    async with httpx2.AsyncClient(transport=mounted, base_url="http://localhost") as http:
        page_under_prefix = (await http.get("/content/factchecks")).text
    assert "<bdi>Tide</bdi></a>" in page
    assert "Ebb<" not in page
    assert '<a href="/factchecks">Fact checks</a>' in (await desk.page("/")).body
    assert (await desk.page("/factchecks?after=tide")).status == 404
    assert '<a href="/content/articles/tide"><bdi>Tide</bdi></a>' in page_under_prefix


async def test_the_page_is_in_the_language_of_the_site(desk: StoreClient) -> None:
    await desk.command(LocalizeSite(language="de-CH"))
    assert "<h1>Geprüfte Artikel</h1>" in (await desk.page("/factchecks")).body
    assert '<a href="/factchecks">Faktenchecks</a>' in (await desk.page("/")).body


def test_the_state_of_a_stream_is_the_last_check() -> None:
    check = ledgerpress_factcheck.model.PostChecked
    states = [CHECKS.initial]
    for passed in (False, True):
        states.append(CHECKS.evolve(states[-1], check(post_id="p", passed=passed, note="")))
    assert states == [None, False, True]
    withdrawn = Withdrawn(type="x.factcheck.checked", stream="x.factcheck.p", recorded_at=0)
    assert CHECKS.evolve(True, withdrawn) is False
    assert CHECKS.evolve(True, Withdrawn(type="x.other.noted", stream="x.factcheck.p", recorded_at=0)) is True


def test_it_takes_less_than_two_hundred_lines() -> None:
    files = [path for path in (PACKAGE / "src").rglob("*") if path.suffix in {".py", ".html"}]
    lines = [line for path in files for line in path.read_text().splitlines() if line.strip()]
    assert len(lines) < 200


def test_the_how_to_shows_the_example_as_it_is() -> None:
    page = (ROOT / "docs" / "how-to" / "extend.md").read_text()
    sources = [path.read_text() for path in PACKAGE.rglob("*.py")]
    blocks = [
        dedent(block) for block in re.findall(r"^ *```python\n(.*?)^ *```", page, re.DOTALL | re.MULTILINE)
    ]
    shown = [part for block in blocks for part in block.split("\n\n\n")]
    # The block with the permission has lines of two places.
    missing = [part for part in shown if not any(part.strip() in source for source in sources)]
    fixture = next(block for block in blocks if "LOG_URL" in block)
    assert [part.partition("\n")[0] for part in missing] == [
        block.partition("\n")[0] for block in (blocks[2], fixture)
    ]


def test_the_fixture_of_the_how_to_names_a_new_place_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "how-to" / "extend.md").read_text()
    (code,) = re.findall(r"^@pytest.fixture\n(def log_url.*?)^```", page, re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {"os": os, "uuid": uuid}
    exec(code, names)
    monkeypatch.delenv("LOG_URL", raising=False)
    assert names["log_url"]() == "sqlite:"
    monkeypatch.setenv("LOG_URL", "postgresql://db.example.org/news?publication=test-NEW")
    places = {names["log_url"]() for _ in range(2)}
    assert len(places) == 2
    assert all(re.search(r"\?publication=test-[0-9a-f]{12}$", place) for place in places)


def test_the_program_finds_the_installed_package(tmp_path: Path) -> None:
    """Installed like any package, it is loaded by its entry point; when it is uninstalled, its events are counted."""
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
        # The clock of the example is years behind that of the machine.
        clock = {"LEDGERPRESS_MAX_CLOCK_AHEAD_DAYS": "36500"}
        environment = {**os.environ, **clock, "PYTHONPATH": path}
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
    assert "Events of features that are not installed: 1." in ledgerpress("verify", "--data", str(data))


async def _record_one_check(data: Path) -> None:
    async with open_client(FEATURES, data) as client:
        await client.command(CheckPost(await client.create(CreatePost(title="Tide")), True, ""))
