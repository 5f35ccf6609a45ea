"""Node and the npm packages that LedgerPress is compared with, installed once from the lock file next to this file."""

import hashlib
import os
from pathlib import Path
from typing import Final, NoReturn

import pytest

from scripts.workloads import npm_packages
from scripts.workloads.npm_packages import NodeMissing

HERE: Final = Path(__file__).parent
CACHE: Final = HERE.parent.parent / ".cache"
MANIFEST: Final = ("package.json", "package-lock.json", ".npmrc")
_OLDEST: Final = 20


def packages(source: Path = HERE) -> Path:
    """Return a directory with the packages of a package-lock.json in `node_modules`; install them if necessary.

    `source` is the folder of that file.
    """
    manifest = b"".join((source / name).read_bytes() for name in MANIFEST)
    directory = CACHE / f"{source.name}-{hashlib.sha256(manifest).hexdigest()[:16]}"
    try:
        npm_packages.install(source, MANIFEST, directory, _OLDEST)
    except NodeMissing as error:
        _missing(str(error))
    return directory


def programs() -> Path:
    """Return the directory of `node`."""
    try:
        return npm_packages.programs(_OLDEST)
    except NodeMissing as error:
        _missing(str(error))


def environment() -> dict[str, str]:
    """Return an environment in which `node` comes from `programs`."""
    programs()
    return npm_packages.environment(_OLDEST)


def _missing(reason: str) -> NoReturn:
    """Skip the test, or fail it if the environment variable CI is set, as `scripts/services` does."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
