"""Fixtures of the integration tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.graphql_client import Client, client
from tests.integration.several_workers import pytest_generate_tests, workers
from tests.property.day_scenario import WHOLE_DAY
from tests.property.store_session import Session

__all__ = ["pytest_generate_tests", "workers"]


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Client]:
    """A client of an application on a new store."""
    async with client(tmp_path / "store") as http_client:
        yield http_client


@pytest.fixture
async def session(tmp_path: Path) -> AsyncIterator[Session]:
    """A store with a day of varied editorial work."""
    async with Session(tmp_path / "data") as session:
        await session.begin()
        for action in WHOLE_DAY:
            await session.do(action)
        yield session
