"""Opens the log of a store, and nothing else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from ledgerpress.adapters.sqlite.log import SqliteEventLog
from ledgerpress.compose.data_directory import LOG_FILE, check_data_directory
from ledgerpress.eventlog.log import EventLog


@asynccontextmanager
async def reading_log(data: Path) -> AsyncIterator[EventLog]:
    """Open the log in `data` and nothing else: no views are made or changed. Raises `LogUnusable`."""
    check_data_directory(data, create=False)
    log = await SqliteEventLog.open(data / LOG_FILE, create_as=None)
    try:
        yield log
    finally:
        await log.aclose()
