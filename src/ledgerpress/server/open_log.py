"""Opens the log of a store, and nothing else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from ledgerpress.eventlog.log import OpenedLog
from ledgerpress.server.data_directory import check_data_directory
from ledgerpress.server.log_factory import open_log
from ledgerpress.server.log_url import LOCAL, LogUrl
from ledgerpress.server.node_directory import check_claim, check_node_directory, claim


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


@asynccontextmanager
async def log_of_views(data: Path, log: str = LOCAL, *, to_make: bool = False) -> AsyncIterator[OpenedLog]:
    """Open the log whose views are in `data`, or are `to_make` there. Raises `LogUnusable` where they are another's."""
    elsewhere = not LogUrl.parse(log).is_local
    if elsewhere:
        check_node_directory(data, create=to_make)
    async with reading_log(data, log) as opened:
        if elsewhere:
            (claim if to_make else check_claim)(data, opened.publication)
        yield opened
