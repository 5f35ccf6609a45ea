"""The source distribution and what installs from it, and the requirements of the extras."""

import sys
import tarfile
from importlib.metadata import requires
from pathlib import Path

import pytest

from tests.integration.separate_environment import create, install, packages_of, run

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_tests_of_the_source_distribution_run_in_an_empty_folder(tmp_path: Path) -> None:
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path, directory=ROOT)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as sdist:
        sdist.extractall(tmp_path / "unpacked", filter="data")
    (source,) = (tmp_path / "unpacked").iterdir()
    if (ROOT / ".git").exists():
        tracked = run("git", "ls-files", "-z", directory=ROOT).split("\0")
        missing = [name for name in tracked if name and not (source / name).exists()]
        assert missing == []
    # An environment of its own, with the dependencies of this one but not its editable installation of LedgerPress.
    python = create(tmp_path / "venv")
    install(python, "--no-index", "--no-build-isolation", source)
    where = run(python, "-c", "import ledgerpress; print(ledgerpress.__file__)", directory=source)
    assert Path(where.strip()).is_relative_to(packages_of(tmp_path / "venv"))
    tests = ["tests/unit/test_slugs.py", "tests/unit/test_documentation.py", "tests/unit/test_envelope.py"]
    output = run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, directory=source)
    assert " passed" in output


def test_only_the_extras_require_opentelemetry_and_only_development_rfc8785() -> None:
    required = requires("ledgerpress") or []
    assert not [name for name in required if name.startswith("rfc8785")]
    assert {name.rpartition(";")[2].strip() for name in required if name.startswith("opentelemetry")} == {
        "extra == 'otel'"
    }
    assert [name for name in required if name.startswith("nats-py[nkeys]")]
