"""The adapters that the contract suite holds to the port."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest

from ledgerpress.adapters.sqlite.log import SqliteEventLog
from ledgerpress.eventlog.ids import uuid8
from ledgerpress.eventlog.log import EventLog


class Logs(Protocol):
    """One place for one log, opened any number of times, as several processes would."""

    async def open(self) -> EventLog:
        """Open the log of this place, made on the first call for a publication with an id of its own."""
        ...

    async def close(self, log: EventLog) -> None: ...


class SqliteLogs:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: list[SqliteEventLog] = []
        self._calls = 0

    async def open(self) -> EventLog:
        self._calls += 1
        call = self._calls
        log = await SqliteEventLog.open(self._path, create_as=lambda: uuid8("publication", call))
        self._opened.append(log)
        return log

    async def close(self, log: EventLog) -> None:
        assert isinstance(log, SqliteEventLog)
        await log.aclose()

    async def close_all(self) -> None:
        for log in self._opened:
            await log.aclose()


@pytest.fixture(params=["sqlite"])
async def logs(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Logs]:
    logs = {"sqlite": SqliteLogs}[request.param](tmp_path / "log.db")
    yield logs
    await logs.close_all()


@pytest.fixture
async def log(logs: Logs) -> EventLog:
    return await logs.open()
