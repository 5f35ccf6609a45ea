"""The engines that a log may be in: for each a fixture that gives the URL of a place where no log is yet.

To add an engine is to add a fixture `<name>_url` here, its name to `ENGINES`, and the fixture to tests/conftest.py.
"""

from pathlib import Path
from typing import Final

import pytest

ENGINES: Final = ("sqlite",)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:{tmp_path / 'log.db'}"


@pytest.fixture(params=ENGINES)
def log_url(request: pytest.FixtureRequest) -> str:
    """The URL of a place where no log is yet, in each of the engines in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url
