"""Every command and query in README.md and docs/ works, in the order of the page."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.documented_blocks import COMMANDS, OTHER_LANGUAGES, PAGES, ROOT, Block, blocks
from tests.integration.documented_commands import SIMULATED, Reader, difference_of

BLOCKS = [block for page in PAGES for block in blocks(page)]
RUNNABLE = [block for block in BLOCKS if block.language in COMMANDS]
PAGES_TO_RUN = sorted({block.page for block in RUNNABLE if block.not_run is None})

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with the demo newsroom."""
    data = tmp_path_factory.mktemp("demo") / "data"
    subprocess.run([sys.executable, "-m", "ledgerpress", "demo", "--data", data], check=True)
    return data


@needs_curl
@pytest.mark.parametrize("page", PAGES_TO_RUN, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_and_query_of_a_page_works_in_order(page: Path, demo: Path, tmp_path: Path) -> None:
    with Reader(tmp_path, demo) as reader:
        reader.run_page(blocks(page))


def test_the_language_of_every_block_is_known() -> None:
    assert {block.language for block in BLOCKS} <= COMMANDS | OTHER_LANGUAGES


def test_every_block_that_is_not_run_has_a_reason() -> None:
    for block in RUNNABLE:
        assert block.not_run is None or len(block.not_run.split()) >= 3, block.place


def test_most_commands_run() -> None:
    """Prevent a change of the pages or of this test from skipping most commands unnoticed."""
    runs, not_run = 0, 0
    for block in RUNNABLE:
        for command in block.commands():
            is_run = block.not_run is None and command.split()[0] not in SIMULATED
            runs, not_run = runs + is_run, not_run + (not is_run)
    assert runs >= 40
    assert runs >= 2 * not_run
    assert {"README.md", "first-newsroom.md", "back-up.md", "access.md"} <= {
        page.name for page in PAGES_TO_RUN
    }


# --- the test detects mistakes --------------------------------------------------------------------


def blocks_of(markdown: str) -> list[Block]:
    return list(blocks(Path("page.md"), markdown))


@needs_curl
@pytest.mark.parametrize(
    "markdown",
    [
        pytest.param("```sh\nledgerpress no-such-command\n```", id="a command"),
        pytest.param("```sh\nledgerpress head\nfalse\nledgerpress head\n```", id="a command in the middle"),
        pytest.param("```graphql\n{ recentPosts { nodes { headline } } }\n```", id="a field"),
        pytest.param(
            '```graphql\nmutation { postPublish(input: {id: "none"}) { userErrors { code } } }\n```',
            id="a user error",
        ),
        pytest.param(
            '```graphql\n{ site { name } }\n```\n\n```json\n{"data": {"site": {"title": "The Tide"}}}\n```',
            id="a result",
        ),
        pytest.param("<!-- fails: 1 -->\n```sh\nledgerpress head\n```", id="a command that should fail"),
        pytest.param("<!-- run with: a = b -->\n```sh\nledgerpress head\n```", id="a replacement"),
    ],
)
def test_a_page_with_a_mistake_fails(markdown: str, demo: Path, tmp_path: Path) -> None:
    with Reader(tmp_path, demo) as reader, pytest.raises(AssertionError):
        reader.run_page(blocks_of(markdown))


def test_a_comment_belongs_to_the_next_block() -> None:
    page = "<!-- not run: needs a printer -->\n\n```sh\nprint\n```\n\nText.\n\n```sh\nledgerpress head\n```\n"
    assert [block.not_run for block in blocks_of(page)] == ["needs a printer", None]


def test_results_are_compared_by_names_lengths_and_numbers() -> None:
    documented = {"post": {"version": 2, "age": "1 minute ago", "categories": ["a"]}}
    assert (
        difference_of(documented, {"post": {"version": 2, "age": "2 minutes ago", "categories": ["b"]}})
        is None
    )
    for result in (
        {"post": {"version": 3, "age": "", "categories": ["a"]}},
        {"post": {"version": 2, "age": None, "categories": ["a"]}},
        {"post": {"version": 2, "age": "", "categories": []}},
        {"post": {"version": 2, "age": ""}},
    ):
        assert difference_of(documented, result) is not None
