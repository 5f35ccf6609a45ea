"""The diffs on the pages of docs/contributing work, on a copy of the source and with data that the source wrote."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.documented_blocks import ROOT, blocks

PAGES = ROOT / "docs" / "contributing"

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def changed_source(page: str, directory: Path) -> Path:
    """Copy the source, apply the diffs of a page, and return the path of the copy."""
    shutil.copytree(
        ROOT / "src" / "ledgerpress",
        directory / "src" / "ledgerpress",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    diffs = [block.text for block in blocks(PAGES / page) if block.language == "diff"]
    assert diffs
    for diff in diffs:
        # One line of context is enough, so a changed comment nearby does not matter.
        result = subprocess.run(
            ["git", "apply", "-C1", "--recount", "-"],
            cwd=directory, input=diff, capture_output=True, text=True, check=False,
            env={**os.environ, "GIT_CEILING_DIRECTORIES": str(directory.parent)},
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
    return directory / "src"


def run(source: Path, *arguments: str | Path) -> str:
    result = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "PYTHONPATH": f"{source}{os.pathsep}{ROOT}"},
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def scenario(source: Path, name: str, data: Path) -> Any:
    return json.loads(run(source, "tests.integration.contributing_example_program", name, data))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A store that the unchanged source has written."""
    data = tmp_path / "data"
    scenario(ROOT / "src", "write", data)
    return data


@needs_git
def test_adding_a_field(data: Path, tmp_path: Path) -> None:
    source = changed_source("add-a-field.md", tmp_path)
    result = scenario(source, "subtitle", data)
    assert result["old"]["subtitle"] is None
    assert result["old"]["article"] == {"subtitle": None}
    assert result["forOld"]["post"] == {"subtitle": "Late"}
    assert result["reverted"]["post"] == {"subtitle": "Second"}
    now = result["now"]
    assert (now["subtitle"], now["article"]) == ("Second", {"subtitle": "First"})
    assert result["then"] == {"subtitle": "Second"}
    assert now["diff"] == {"subtitle": {"before": "First", "after": "Second"}}
    assert [(node["type"], "subtitle" in node["changedFields"]) for node in now["history"]["nodes"]] == [
        ("post.created", True),
        ("post.published", False),
        ("post.edited", True),
        ("post.edited", True),
        ("post.reverted", True),
    ]
    run(source, "ledgerpress", "verify", "--data", data)
    (tmp_path / "schema").mkdir()
    run(source, "ledgerpress", "schema", "--directory", tmp_path / "schema")
    assert (tmp_path / "schema" / "events" / "post.created.v3.schema.json").exists()


@needs_git
def test_adding_an_event(data: Path, tmp_path: Path) -> None:
    source = changed_source("add-an-event.md", tmp_path)
    result = scenario(source, "pin", data)
    version = result["before"]["version"] + 1
    assert result["first"]["post"] == {"version": version}
    assert (result["again"]["post"], result["again"]["position"]) == (
        {"version": version},
        result["first"]["position"],
    )
    assert result["post"]["history"]["nodes"][-1]["type"] == "post.pinned"
    run(source, "ledgerpress", "verify", "--data", data)
    (tmp_path / "schema").mkdir()
    run(source, "ledgerpress", "schema", "--directory", tmp_path / "schema")
    assert (tmp_path / "schema" / "events" / "post.pinned.v1.schema.json").exists()
