"""The source distribution and what installs from it, and the requirements of the extras."""

import os
import subprocess
import sys
import sysconfig
import tarfile
from importlib.metadata import requires
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*command: str | Path, directory: Path, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


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
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv", directory=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    paths = {"base": str(tmp_path / "venv"), "platbase": str(tmp_path / "venv")}
    packages = Path(sysconfig.get_path("purelib", vars=paths))
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "-q",
        "--no-deps",
        "--no-index",
    ]
    run(*pip, "--no-build-isolation", "--ignore-installed", source, directory=tmp_path)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))
    }
    where = run(
        python,
        "-c",
        "import ledgerpress; print(ledgerpress.__file__)",
        directory=source,
        environment=environment,
    )
    assert Path(where.strip()).is_relative_to(packages)
    tests = ["tests/unit/test_slugs.py", "tests/unit/test_documentation.py", "tests/unit/test_envelope.py"]
    output = run(
        python,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        *tests,
        directory=source,
        environment=environment,
    )
    assert " passed" in output


def test_only_the_extras_require_opentelemetry_and_only_development_rfc8785() -> None:
    required = requires("ledgerpress") or []
    assert not [name for name in required if name.startswith("rfc8785")]
    assert {name.rpartition(";")[2].strip() for name in required if name.startswith("opentelemetry")} == {
        "extra == 'otel'"
    }
    assert [name for name in required if name.startswith("nats-py[nkeys]")]
