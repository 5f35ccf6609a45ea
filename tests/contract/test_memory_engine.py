"""The engine of docs/contributing/add-a-log-engine.md passes the contract suites of log engines."""

from collections.abc import AsyncIterator

import pytest

from ledgerpress.eventlog.log import OpenedLog
from tests.contract.memory_engine import MemoryLog, MemoryPlace
from tests.contract.test_event_log import *  # noqa: F403
from tests.contract.test_event_log_at_once import *  # noqa: F403
from tests.contract.test_lease_register import *  # noqa: F403
from tests.contract.test_withdrawal import *  # noqa: F403


@pytest.fixture
async def logs() -> AsyncIterator[MemoryPlace]:
    place = MemoryPlace()
    yield place
    await place.close_all()


@pytest.fixture
async def log(logs: MemoryPlace) -> MemoryLog:
    return await logs.open()


def test_the_engine_implements_opened_log(log: MemoryLog) -> None:
    """`mypy` checks that the class has every member of `OpenedLog`."""
    opened: OpenedLog = log
    assert opened.staleness == 0
