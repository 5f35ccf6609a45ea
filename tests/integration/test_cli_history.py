"""`ledgerpress history`: the output for a post and for a category."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ledgerpress.cli import app
from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.features.categories.commands import CreateCategory, RenameCategory
from ledgerpress.features.categories.model import CategoryRef
from ledgerpress.features.posts import post_queries
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost, EditPost
from ledgerpress.features.posts.restore_version_and_revert_change_commands import RestorePost, RevertPost
from ledgerpress.server.store import open_store
from tests.fixed_sources import SeededBytes, SetClock


def history(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["history", *(str(argument) for argument in arguments)])


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """A store with a post of 30 versions, and a category."""
    directory = tmp_path / "store"
    async with open_store(directory, clock=SetClock(), randomness=SeededBytes()) as store:
        do = store.commands.handle
        await do(CreateCategory(name="News"))
        await do(RenameCategory(category=CategoryRef(slug="news"), slug="town"))
        post = (await do(CreatePost(title="Tide mill", slug="tide-mill", body="One.\n\nTwo.\n"))).subject_id
        for number in range(28):
            await do(EditPost(post_id=post, title=f"Tide mill {number}"))
        await do(
            EditPost(post_id=post, body="One.\n\nThree.\n"), CommandRequest(reason="[bold]It is three[/bold]")
        )
    return directory


def test_the_newest_change_comes_first_with_reason_and_difference(data: Path) -> None:
    shown = history("tide-mill", "--data", data)
    assert shown.exit_code == 0
    assert shown.stdout.startswith(
        "post.edited  version 30, position 39\n"
        "2024-05-04 08:01:07 UTC  Local operator\n"
        "reason   [bold]It is three[/bold]\n"
        "  body\n"
        "    @@ -1,3 +1,3 @@\n"
        "     One.\n"
        "     \n"
        "    -Two.\n"
        "    +Three.\n"
        "\n"
        "post.edited  version 29, position 38\n"
    )
    assert "  title             Tide mill → Tide mill 0\n" in shown.stdout
    assert "  title             Tide mill\n" in shown.stdout


def test_with_json_each_change_is_one_line(data: Path) -> None:
    lines = [json.loads(line) for line in history("tide-mill", "--data", data, "--json").stdout.splitlines()]
    assert [line["version"] for line in lines] == list(range(30, 0, -1))
    assert lines[0]["after"] == {"body": "One.\n\nThree.\n"}


def test_a_category_is_found_by_any_of_its_slugs(data: Path) -> None:
    shown = history("news", "--data", data).stdout
    assert "  slug              news → town\n" in shown
    assert shown.count("category.") == 2


def test_an_unknown_slug_or_a_missing_store_is_an_error(data: Path, tmp_path: Path) -> None:
    missing = history("fog", "--data", data)
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert "“fog”" in missing.stderr
    assert history("fog", "--data", tmp_path / "nowhere").exit_code == 3


@pytest.mark.usefixtures("any_silence")
def test_withdrawn_content_is_marked_and_cannot_be_restored_or_reverted(data: Path) -> None:
    (newest, *_) = map(json.loads, history("tide-mill", "--data", data, "--json").stdout.splitlines())
    withdraw = ["withdraw", str(newest["position"]), "--reason", "An order.", "--yes", "--data", str(data)]
    assert CliRunner().invoke(app, withdraw).exit_code == 0
    shown = history("tide-mill", "--data", data).stdout
    assert shown.startswith("payload.withdrawn  version 1, position 40\n")
    assert "reason   An order.\n" in shown
    assert "post.edited  version 30, position 39\n" in shown
    assert "The content of this change was withdrawn.\n" in shown
    assert "Three" not in shown
    asyncio.run(_check_that_withdrawn_content_is_rejected(data))


async def _check_that_withdrawn_content_is_rejected(data: Path) -> None:
    async with open_store(
        data, clock=SetClock(1_714_896_000_000_000), randomness=SeededBytes("later")
    ) as store:
        do = store.commands.handle
        with store.snapshot() as snapshot:
            post = post_queries.by_slug(snapshot, "tide-mill")
        assert post
        for command in (
            RestorePost(post_id=post.id, to_version=30),
            RevertPost(post_id=post.id, version=30),
        ):
            with pytest.raises(Rejection, match="was withdrawn") as rejection:
                await do(command)
            assert rejection.value.code is ErrorCode.NOT_FOUND
        restored = await do(RestorePost(post_id=post.id, to_version=29))
        reverted = await do(RevertPost(post_id=post.id, version=29))
        assert reverted.position == restored.position + 1
