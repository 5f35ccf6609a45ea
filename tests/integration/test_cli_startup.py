"""No command imports what it does not need, so that each starts quickly. No time is measured here."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner

from ledgerpress.cli import app
from ledgerpress.features.registry import FIRST_PARTY

NEVER: Final = frozenset(
    {
        "strawberry",
        "graphql",
        "starlette",
        "uvicorn",
        "jinja2",
        "pydantic",
        "langcodes",
        "babel",
        "importlib.metadata",
    }
)
"""Packages that no command needs except those that serve, and those that write the schema."""
TERMINAL: Final = frozenset({"rich", "pygments", "markdown_it", "rapidfuzz"})
"""Packages for output with colors, and for texts."""
FEATURES: Final = frozenset({"ledgerpress.features.registry", "asyncio", "msgspec", "sqlite3"})
"""What commands need that open a store."""
REFERENCES: Final = [
    reference for feature in FIRST_PARTY for reference in (*feature.commands, *feature.guards, *feature.adds)
]
COMMANDS_OF_FEATURES: Final = frozenset(str(reference).partition(":")[0] for reference in REFERENCES)
"""The modules of the features' commands."""
WRITING: Final = COMMANDS_OF_FEATURES | {
    "ledgerpress.features.slugs.elisions_and_compatibility_forms",
    "regex",
}
"""What only commands that write need."""

READING: Final = NEVER | WRITING
"""What no command imports that only reads a store."""

COMMANDS: Final = [
    ("--version", 0, READING | TERMINAL | FEATURES),
    ("--help", 0, READING | TERMINAL | FEATURES),
    ("status --help", 0, READING | TERMINAL),
    ("frobnicate", 2, READING | TERMINAL | FEATURES),
    ("settings", 0, READING | TERMINAL | {"ledgerpress.features.registry"}),
    ("status --json", 0, READING | TERMINAL),
    ("status", 0, READING | {"markdown_it", "rapidfuzz"}),
    ("history tide-mill", 0, NEVER | COMMANDS_OF_FEATURES | {"rich", "markdown_it"}),
    ("history tide-mill --json", 0, NEVER | COMMANDS_OF_FEATURES | TERMINAL),
    ("diff tide-mill", 0, NEVER | COMMANDS_OF_FEATURES | {"rich", "markdown_it"}),
    ("blame tide-mill --json", 0, NEVER | COMMANDS_OF_FEATURES | {"rich", "markdown_it"}),
    ("events tail", 0, READING | TERMINAL | {"ledgerpress.features.registry"}),
    ("events show 3", 0, READING | TERMINAL | {"ledgerpress.features.registry"}),
    ("head", 0, READING | TERMINAL),
    ("verify", 0, READING | TERMINAL),
    ("clock show", 0, READING | TERMINAL),
    ("token list", 0, READING | TERMINAL),
    ("token revoke 37fc6885-694b-8967-bd10-a5d84d066bf4", 1, NEVER | TERMINAL),
    ("projection resume people", 1, NEVER | TERMINAL),
    ("views list --json", 0, READING | TERMINAL),
    ("withdraw 7 --reason Test", 5, NEVER | COMMANDS_OF_FEATURES | TERMINAL),
]


COLLECTS: Final = """
import atexit, gc
from ledgerpress.cli import main
atexit.register(lambda: print("collects:", gc.isenabled()))
main()
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("startup") / "store"
    page = data.parent / "page.txt"
    settings = f'[server]\ndata = "{data}"\n[limits]\ndepth = 12\n'
    (data.parent / "ledgerpress.toml").write_text(settings, "utf-8")
    page.write_text("Tide mill\nDecember 5, 2024\nThe mill turns again, and the miller is glad of it.\n")
    arguments = ["import", "page", str(page), "--retrieved-at", "2024-12-22", "--data", str(data)]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    return data


@pytest.mark.parametrize(("command", "code", "unneeded"), COMMANDS, ids=[command for command, *_ in COMMANDS])
def test_a_command_imports_only_what_it_needs(
    store: Path, command: str, code: int, unneeded: frozenset[str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "ledgerpress", *command.split()],
        capture_output=True,
        text=True,
        env={**os.environ, "LEDGERPRESS_CONFIG": str(store.parent / "ledgerpress.toml")},
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == code, done.stderr[-1_000:]
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "ledgerpress.cli" in imported
    assert not imported & unneeded


def test_each_feature_refers_to_its_commands_lazily() -> None:
    assert [reference for reference in REFERENCES if not isinstance(reference, str)] == []
    assert len(COMMANDS_OF_FEATURES) > 8


@pytest.mark.parametrize("command", ["settings", "views list", "token list", "status"])
def test_garbage_is_collected_while_a_command_runs(store: Path, command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COLLECTS, *command.split()],
        capture_output=True,
        text=True,
        env={**os.environ, "LEDGERPRESS_CONFIG": str(store.parent / "ledgerpress.toml")},
        check=True,
    )
    assert "collects: True" in done.stdout
