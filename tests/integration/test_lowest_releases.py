"""GraphQL with the lowest releases that the ranges in pyproject.toml accept; all other tests use the highest."""

from pathlib import Path
from typing import Final

import pytest

from ledgerpress.graphql.compiled.tested_versions import TESTED
from tests.integration.separate_environment import create, install, packages_of, run

ROOT: Final = Path(__file__).parents[2]
TESTS: Final = (
    "tests/unit/test_compiled.py",
    "tests/unit/test_compiled_mutations.py",
    "tests/unit/test_one_of_inputs.py",
    "tests/unit/test_schema.py",
    "tests/unit/test_tested_versions.py",
    "tests/integration/test_mutations.py",
    "tests/integration/test_queries.py",
    "tests/property/test_compiled.py",
    "tests/property/test_compiled_mutations.py",
)
"""The schema, compiled operations, errors, and what readers and editors ask for."""


@pytest.mark.slow
def test_the_api_works_with_the_lowest_releases(tmp_path: Path) -> None:
    python = create(tmp_path / "venv", ROOT / "src")
    install(python, "--require-hashes", "--requirement", ROOT / "requirements/lowest.txt")
    program = f"import importlib.metadata as m; print(*map(m.version, {list(TESTED)}))"
    versions = run(python, "-c", program, directory=ROOT).split()
    assert versions == [lowest for lowest, _ in TESTED.values()]
    assert {path.name for path in packages_of(tmp_path / "venv").iterdir()} >= {"graphql", "strawberry"}
    pytest_of_environment = (python, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    output = run(*pytest_of_environment, *TESTS, directory=ROOT)
    assert " passed" in output
