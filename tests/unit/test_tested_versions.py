"""The releases with which queries are compiled, and the requirements on them."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from ledgerpress.features.registry import graphql_schema
from ledgerpress.graphql.compiled import tested_versions
from ledgerpress.graphql.compiled.tested_versions import TESTED, is_tested, load_compiled_executor
from ledgerpress.graphql.executor import Executor

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ("0.329.9", False),
        ("0.330.0", True),
        ("0.341.2", True),
        ("0.341.10", False),
        ("0.342.0", False),
        ("1.0", False),
        ("0.341.0rc1", False),
        ("0.341.0.post1", False),
        ("", False),
    ],
)
def test_the_tested_range_includes_both_ends_and_no_prerelease(release: str, expected: bool) -> None:
    assert is_tested("strawberry-graphql", release) is expected


@pytest.mark.parametrize(("lock", "end"), [("lowest", 0), ("dev", 1), ("runtime", 1)])
def test_the_locks_pin_the_ends_of_the_tested_range(lock: str, end: int) -> None:
    pins = dict(
        re.findall(
            r"^([a-z-]+)==([0-9.]+)", (ROOT / f"requirements/{lock}.txt").read_text("utf-8"), re.MULTILINE
        )
    )
    assert {name: pins[name] for name in TESTED} == {name: ends[end] for name, ends in TESTED.items()}


def test_the_package_accepts_every_tested_release_and_no_later_minor_release_of_strawberry() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    required = {
        requirement.name: requirement.specifier for requirement in map(Requirement, project["dependencies"])
    }
    for name, ends in TESTED.items():
        assert all(end in required[name] for end in ends)
    lowest, highest = map(Version, TESTED["strawberry-graphql"])
    assert f"{lowest.major}.{lowest.minor - 1}.9" not in required["strawberry-graphql"]
    assert f"{highest.major}.{highest.minor + 1}.0" not in required["strawberry-graphql"]


def test_the_compiled_executor_is_used_with_the_installed_releases() -> None:
    assert load_compiled_executor() is not None


@pytest.mark.parametrize("package", TESTED)
def test_with_another_release_no_query_is_compiled(
    package: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    releases = {name: ends[1] for name, ends in TESTED.items()} | {package: "99.0.0"}
    monkeypatch.setattr(tested_versions, "version", releases.__getitem__)
    assert Executor(graphql_schema())._execute_compiled is None
    assert f"queries are not compiled: not tested with {package} 99.0.0" in caplog.text
