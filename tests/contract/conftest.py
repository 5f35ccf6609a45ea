"""Fixtures of the contract tests: the log of each engine under test."""

from collections.abc import AsyncIterator

import pytest

from ledgerpress.eventlog.log import OpenedLog
from tests.engines.log_locations import LogPlace as Logs


@pytest.fixture
async def logs(log_url: str) -> AsyncIterator[Logs]:
    logs = Logs(log_url)
    yield logs
    await logs.close_all()


@pytest.fixture
async def log(logs: Logs) -> OpenedLog:
    return await logs.open()
