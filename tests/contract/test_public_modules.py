"""The modules and names that third-party features may import: docs/reference/public-modules.md."""

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs/reference/public-modules.md").read_text("utf-8")
NAMES: Final = {
    module: re.findall(r"`(\w+)`", text.strip().splitlines()[-1])
    for module, text in re.findall(r"^## `([\w.]+)`\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
}
FRAMEWORKS: Final = {"strawberry", "starlette", "graphql", "jinja2"}


def test_the_page_lists_the_modules_of_each_feature_that_others_can_extend() -> None:
    features = {name.split(".")[2] for name in NAMES if name.startswith("ledgerpress.features.")}
    assert features == {"registry", "posts", "categories", "authors", "actors", "site", "history"}
    assert {"ledgerpress.feature", "ledgerpress.feature.schema", "ledgerpress.feature.pages"} < NAMES.keys()


@pytest.mark.parametrize("name", NAMES)
def test_a_public_module_has_the_names_that_the_page_lists(name: str) -> None:
    module = importlib.import_module(name)
    assert sorted(module.__all__) == sorted(NAMES[name])
    assert [attribute for attribute in NAMES[name] if not hasattr(module, attribute)] == []


def test_only_modules_for_schemas_pages_and_tests_import_the_web_frameworks() -> None:
    plain = [name for name in NAMES if not name.endswith((".schema", ".pages", ".testing"))]
    code = f"import sys; import {', '.join(plain)}; print(*{FRAMEWORKS}.intersection(sys.modules))"
    process = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert len(plain) > 10
    assert process.stdout.split() == []


def imported(path: Path) -> Iterator[str]:
    """Yield the names that a module imports from LedgerPress, as `module.name`."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "ledgerpress":
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == "ledgerpress")


def test_the_example_imports_public_names_only() -> None:
    public = {*NAMES, *(f"{module}.{name}" for module, names in NAMES.items() for name in names)}
    sources = (ROOT / "docs/examples/factcheck").rglob("*.py")
    used = {name for path in sources for name in imported(path)}
    assert len(used) > 20
    assert used - public == set()
