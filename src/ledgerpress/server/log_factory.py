"""Open logs by their URLs: the only module that knows which adapter belongs to which engine."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

from ledgerpress.adapters.sqlite_log import backup
from ledgerpress.adapters.sqlite_log.copy_target import SqliteCopyTarget
from ledgerpress.adapters.sqlite_log.event_log import SqliteEventLog
from ledgerpress.eventlog.copy_target import CopyTarget
from ledgerpress.eventlog.errors import LogUnavailable, LogUnusable
from ledgerpress.eventlog.log import OpenedLog
from ledgerpress.retry import Backoff
from ledgerpress.server.data_directory import (
    LOG_FILE,
    check_claim,
    check_data_directory,
    check_log_location,
    check_node_directory,
    claim_directory,
)
from ledgerpress.server.log_url import LOCAL, LogUrl

logger = logging.getLogger(__name__)

copy_log_file: Final = backup.copy_log_file
"""Copies a log that is in a file. Other engines have their own backup tools."""
_BACKOFF: Final = Backoff(first=0.25, longest=4.0)


async def open_log(
    url: LogUrl, data: Path, *, create_as: Callable[[], str] | None, may_be_read_only: bool = False
) -> OpenedLog:
    """Open the log at `url`; if there is none, create one for the publication id that `create_as` returns.

    `data` is the data directory, the default place of a log in a file, which `may_be_read_only`. Raises `LogUnusable` if there is no log and no
    `create_as`, or something that is not a log of this program; `LogUnavailable` if the server cannot be reached.
    """
    match url.engine:
        case "postgresql":
            with _extra("asyncpg", "postgres"):
                from ledgerpress.adapters.postgres.connection import Server  # noqa: PLC0415
                from ledgerpress.adapters.postgres.event_log import PostgresEventLog  # noqa: PLC0415
            server = Server(url.without_publication(), str(url))
            return await PostgresEventLog.open(server, url.publication, create_as=create_as)
        case "nats":
            with _extra("nats", "jetstream"):
                from ledgerpress.adapters.jetstream.event_log import JetStreamEventLog  # noqa: PLC0415
                from ledgerpress.adapters.jetstream.url import NatsUrl  # noqa: PLC0415
            return await JetStreamEventLog.open(NatsUrl.of(url.text), create_as=create_as)
        case _:
            file = url.file(data / LOG_FILE)
            if create_as is not None and not file.exists():
                check_log_location(file)
            return await SqliteEventLog.open(file, create_as=create_as, may_be_read_only=may_be_read_only)


async def open_copy_target(url: LogUrl, data: Path, publication: str) -> CopyTarget:
    """Begin or continue a copy of the publication's log at `url`.

    Raises `LogExists` if there is a finished log, `LogUnusable` if the place contains anything else, and
    `LogUnavailable` if the server cannot be reached.
    """
    match url.engine:
        case "postgresql":
            with _extra("asyncpg", "postgres"):
                from ledgerpress.adapters.postgres.connection import Server  # noqa: PLC0415
                from ledgerpress.adapters.postgres.copy_target import PostgresCopyTarget  # noqa: PLC0415
            server = Server(url.without_publication(), str(url))
            return await PostgresCopyTarget.open(server, url.publication, publication)
        case "nats":
            with _extra("nats", "jetstream"):
                from ledgerpress.adapters.jetstream.copy_target import JetStreamCopyTarget  # noqa: PLC0415
                from ledgerpress.adapters.jetstream.url import NatsUrl  # noqa: PLC0415
            return await JetStreamCopyTarget.open(NatsUrl.of(url.text), publication)
        case _:
            file = url.file(data / LOG_FILE)
            check_log_location(file)
            if url.is_local:
                check_data_directory(data, create=True)
            return await SqliteCopyTarget.open(file, publication)


async def open_when_available(
    url: LogUrl, data: Path, *, create_as: Callable[[], str] | None, timeout: float
) -> OpenedLog:
    """Open the log at `url` as `open_log` does; retry for `timeout` seconds while it cannot be reached.

    When a machine starts, this process may start before the engine of the log is ready.
    """
    deadline, reason = time.monotonic() + timeout, ""
    for attempt, delay in enumerate(_BACKOFF.delays()):
        try:
            # The first attempt has no timeout; later attempts end at the deadline.
            async with asyncio.timeout(None if attempt == 0 else deadline - time.monotonic()):
                return await open_log(url, data, create_as=create_as)
        except (LogUnavailable, TimeoutError) as error:
            reason = str(error) or reason
            left = deadline - time.monotonic()
            if left <= 0:
                if url.engine == "sqlite":
                    raise LogUnavailable(reason) from error
                raise LogUnavailable(
                    f"the log cannot be reached: {reason}: check that its server is running and that the URL is "
                    "correct (--log, LEDGERPRESS_LOG)"
                ) from error
            if attempt == 0:
                logger.warning("the log cannot be reached; retrying for up to %.0f s: %s", timeout, error)
            await asyncio.sleep(min(delay, left))
    raise AssertionError("unreachable")


@asynccontextmanager
async def existing_log(data: Path, log: str = LOCAL) -> AsyncIterator[OpenedLog]:
    """Open the log at the URL `log` to read it, without its views. A file may be on a read-only medium.

    Raises `LogUnusable`.
    """
    url = LogUrl.parse(log)
    if url.is_local:
        check_data_directory(data, create=False)
    async with aclosing(await open_log(url, data, create_as=None, may_be_read_only=True)) as opened:
        yield opened


@asynccontextmanager
async def log_of_views(data: Path, log: str = LOCAL, *, create: bool = False) -> AsyncIterator[OpenedLog]:
    """Open the log whose views are in `data`, or will be with `create`.

    Raises `LogUnusable` if the views belong to another log.
    """
    is_elsewhere = not LogUrl.parse(log).is_local
    if is_elsewhere:
        check_node_directory(data, create=create)
    async with existing_log(data, log) as opened:
        if is_elsewhere:
            (claim_directory if create else check_claim)(data, opened.publication)
        yield opened


@contextmanager
def _extra(library: str, extra: str) -> Iterator[None]:
    """Import an adapter in the context. Raises `LogUnusable` with the package to install if its library is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != library:
            raise
        raise LogUnusable(
            f"this log needs the package {library}, which is not installed: pip install 'ledgerpress[{extra}]'"
        ) from error
