"""A virtual environment that has the packages of the tests' own environment, except those that are installed into it."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Final

SECONDS: Final = 300


def run(*command: str | Path, directory: Path) -> str:
    """Run a command without the variables of Python and pytest, and return its output."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))
    }
    done = subprocess.run(
        [str(part) for part in command],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def create(directory: Path, *paths: Path) -> Path:
    """Create the environment, whose modules may also come from `paths`, and return its Python."""
    run(sys.executable, "-m", "venv", "--without-pip", directory, directory=directory.parent)
    dependencies = [sysconfig.get_path("purelib"), *map(str, paths)]
    (packages_of(directory) / "dependencies.pth").write_text("\n".join([*dependencies, ""]), "utf-8")
    return directory / "bin" / "python"


def packages_of(directory: Path) -> Path:
    """Return the directory of the packages that are installed into the environment."""
    places = {"base": str(directory), "platbase": str(directory)}
    return Path(sysconfig.get_path("purelib", vars=places))


def install(python: Path, *arguments: str | Path) -> None:
    """Install packages without their dependencies, in place of those of the tests' own environment."""
    pip = (
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "-q",
        "--no-deps",
        "--ignore-installed",
    )
    run(*pip, *arguments, directory=python.parent)
