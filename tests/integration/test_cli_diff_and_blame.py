"""`ledgerpress diff` and `blame`, and the limit and ids of `history`, compared with GraphQL."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ledgerpress.cli import app
from tests.integration.graphql_client import Client, client

CHANGES = """
query ($slug: String!) { post(slug: $slug) { history(first: 50) { nodes {
  position version type recordedAt uncorrectedRecordedAt occurredAt reason changedFields before after withdrawn
  subject { id } actor { id kind name } onBehalfOf { id kind name }
} } } }
"""
DIFF = """
query ($slug: String!, $from: Int!, $to: Int!) { post(slug: $slug) { diff(from: $from, to: $to) {
  from to title { before after } teaser { before after } slug { before after }
  body { spans { kind text } unified }
  categoriesAdded { id name } categoriesRemoved { id name } authorsAdded { id name } authorsRemoved { id name }
} } }
"""
BLAME = """
query ($slug: String!) { post(slug: $slug) { blame { text version actor { id kind name } recordedAt reason } } }
"""


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """A store with a post of seven versions: created, categorized, edited twice, published, edited, categorized."""
    async with newsroom(tmp_path / "store"):
        return tmp_path / "store"


async def _written(api: Client) -> None:
    news = (await api.do("categoryCreate", "category { id }", name="News"))["category"]["id"]
    town = (await api.do("categoryCreate", "category { id }", name="Town"))["category"]["id"]
    author = (await api.do("authorRegister", "author { id }", name="Ada"))["author"]["id"]
    post = await api.write("Tide mill", slug="tide-mill", body="One.\n\nThe mill turns.\n")
    await api.do("postCategorize", id=post["id"], category={"id": news})
    await api.do("postEdit", id=post["id"], title="Tide mills", reason="There are two.")
    await api.do(
        "postEdit", id=post["id"], body="One.\n\nThe old mill turns again.\n\nThree.\n", authors=[author]
    )
    await api.do("postPublish", id=post["id"])
    await api.do("postCategorize", id=post["id"], category={"id": town})
    await api.do("postUncategorize", id=post["id"], category={"id": news})


@asynccontextmanager
async def newsroom(directory: Path) -> AsyncIterator[Client]:
    """Open a store with the post."""
    async with client(directory) as api:
        await _written(api)
        yield api


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Client]:
    async with newsroom(tmp_path / "open") as opened:
        yield opened


def lines(result: Result) -> list[Any]:
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


async def test_the_json_of_the_commands_is_that_of_graphql(api: Client, tmp_path: Path) -> None:
    data = tmp_path / "open"

    async def command(*arguments: str) -> list[Any]:
        return lines(await asyncio.to_thread(run, *arguments, "--data", data, "--json"))

    slug = "tide-mill"
    assert await command("history", slug) == (await api.ask(CHANGES, slug=slug))["post"]["history"]["nodes"]
    assert await command("blame", slug) == (await api.ask(BLAME, slug=slug))["post"]["blame"]
    for old, new in ((0, 1), (1, 4), (4, 1), (5, 7), (3, 3)):
        variables = {"slug": slug, "from": old, "to": new}
        expected = (await api.ask(DIFF, **variables))["post"]["diff"]
        assert await command("diff", slug, str(old), str(new)) == [expected]


def test_a_post_is_found_by_its_id_and_by_its_global_id(data: Path) -> None:
    created = lines(run("history", "tide-mill", "--data", data, "--json"))
    events = lines(run("events", "tail", "-n", "100", "--data", data))
    (post_id,) = {event["data"]["data"]["postId"] for event in events if event["type"] == "post.created"}
    global_id = base64.urlsafe_b64encode(f"Post:{post_id}".encode()).decode().rstrip("=")
    for name in (post_id, post_id.upper(), global_id):
        assert lines(run("history", name, "--data", data, "--json")) == created
        assert run("blame", name, "--data", data).exit_code == 0
        assert run("diff", name, "--data", data).exit_code == 0


def test_the_latest_changes_are_limited(data: Path) -> None:
    everything = lines(run("history", "tide-mill", "--data", data, "--json"))
    for limit in (1, 3, 100):
        limited = lines(run("history", "tide-mill", "--limit", str(limit), "--data", data, "--json"))
        assert limited == everything[:limit]
    category = lines(run("history", "town", "-n", "1", "--data", data, "--json"))
    assert [change["type"] for change in category] == ["category.created"]


def test_the_history_shows_bodies_line_by_line(data: Path) -> None:
    shown = run("history", "tide-mill", "--data", data).stdout
    assert "    -The mill turns.\n    +The old mill turns again.\n" in shown, shown
    assert "No newline" not in shown, "it is true of every body"


def test_the_differences_are_shown_word_by_word_and_line_by_line(data: Path) -> None:
    shown = run("diff", "tide-mill", "1", "4", "--data", data).stdout
    assert shown.startswith("version 1 → 4\n")
    for line in (
        "  title             Tide mill → Tide mills\n",
        "  categories        +News\n",
        "  authors           +Ada\n",
        "    The {+old +}mill turns{+ again.+}\n",
    ):
        assert line in shown, shown
    lines_shown = run("diff", "tide-mill", "1", "4", "--unified", "--data", data).stdout
    assert (
        "--- before\n+++ after\n@@ -1,3 +1,5 @@\n One.\n \n-The mill turns.\n+The old mill turns again.\n"
        in lines_shown
    )
    colored = run("diff", "tide-mill", "1", "4", "--color", "always", "--data", data).stdout
    assert "\x1b[4;32mold \x1b[0m" in colored
    assert "{+" not in colored


def test_without_versions_the_last_edit_is_shown(data: Path) -> None:
    shown = run("diff", "tide-mill", "--data", data).stdout
    assert shown == "version 6 → 7\n  categories        -News\n"
    before_publication = run("diff", "tide-mill", "4", "5", "--data", data)
    assert "are the same" in before_publication.stderr


def test_blame_shows_the_version_the_time_and_the_actor_of_each_part(data: Path) -> None:
    shown = run("blame", "tide-mill", "--data", data).stdout.splitlines()
    assert shown[0] == "v1  2024-05-04  Local operator  | One."
    assert any(line.startswith("v4  ") and line.endswith("+ old ") for line in shown)
    assert [line.partition("|")[0].strip() for line in shown if line.endswith("| Three.")] != ["v1"]
    first = run("blame", "tide-mill", "--version", "1", "--data", data).stdout
    assert "v4" not in first
    assert first.endswith("| The mill turns.\n")


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        (("diff", "tide-mill", "1", "99"), 1, "No version 99; versions run from 0"),
        (("blame", "tide-mill", "--version", "99"), 1, "No version 99; versions run from 0"),
        (("diff", "fog"), 1, "no post has or had the slug or the id “fog”"),
        (("blame", "news"), 1, "no post has or had the slug or the id “news”"),
    ],
)
def test_what_does_not_exist_is_an_error(
    data: Path, command: tuple[str, ...], code: int, message: str
) -> None:
    result = run(*command, "--data", data)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
