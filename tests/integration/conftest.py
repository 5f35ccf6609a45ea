"""What the tests at the door share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.desk import Client, client


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Client]:
    """A client of an application on a new store."""
    async with client(tmp_path / "store") as one:
        yield one
