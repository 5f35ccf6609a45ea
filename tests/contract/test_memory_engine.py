"""The engine of docs/contributing/add-a-log-engine.md passes the suites that every engine passes."""

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


def test_it_is_a_log(log: MemoryLog) -> None:
    """`mypy` checks that the class has everything that the port names."""
    opened: OpenedLog = log
    assert opened.staleness == 0
