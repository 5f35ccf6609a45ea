"""Opens the log of a store, and nothing else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from ledgerpress.compose.data_directory import check_data_directory
from ledgerpress.compose.log_url import LOCAL, LogUrl
from ledgerpress.compose.logs import open_log
from ledgerpress.eventlog.log import OpenedLog


@asynccontextmanager
async def reading_log(data: Path, log: str = LOCAL) -> AsyncIterator[OpenedLog]:
    """Open the log at the URL `log` and nothing else: no views are made or changed. Raises `LogUnusable`."""
    url = LogUrl.parse(log)
    if url.is_local:
        check_data_directory(data, create=False)
    opened = await open_log(url, data, create_as=None)
    try:
        yield opened
    finally:
        await opened.aclose()
