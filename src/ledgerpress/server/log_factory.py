"""Opens logs by their URLs: the one place that knows which adapter is for which engine."""

from collections.abc import Callable
from pathlib import Path

from ledgerpress.adapters.sqlite_log.copy_target import SqliteCopyTarget
from ledgerpress.adapters.sqlite_log.event_log import SqliteEventLog
from ledgerpress.eventlog.copy_target import CopyTarget
from ledgerpress.eventlog.errors import LogUnusable
from ledgerpress.eventlog.log import OpenedLog
from ledgerpress.server.data_directory import LOG_FILE, check_data_directory, check_place_of_log
from ledgerpress.server.log_url import LogUrl


async def open_log(url: LogUrl, data: Path, *, create_as: Callable[[], str] | None) -> OpenedLog:
    """Open the log at `url`; where there is none, make one for the publication id that `create_as` returns.

    `data` is the data directory, where a log in a file is by default. Raises `LogUnusable` for a missing log that is
    not to be made, and for anything that is not a log which this program can use; `LogUnavailable` where the server
    cannot be reached.
    """
    match url.engine:
        case "postgresql":
            try:
                from ledgerpress.adapters.postgres.connection import Server  # noqa: PLC0415
                from ledgerpress.adapters.postgres.event_log import PostgresEventLog  # noqa: PLC0415 - an extra
            except ModuleNotFoundError as error:
                raise _missing(error, "asyncpg", "postgres") from error
            server = Server(url.without(), str(url))
            return await PostgresEventLog.open(server, url.publication, create_as=create_as)
        case "nats":
            try:
                from ledgerpress.adapters.jetstream.event_log import JetStreamEventLog  # noqa: PLC0415
                from ledgerpress.adapters.jetstream.url import NatsUrl  # noqa: PLC0415
            except ModuleNotFoundError as error:
                raise _missing(error, "nats", "jetstream") from error
            return await JetStreamEventLog.open(NatsUrl.of(url.text), create_as=create_as)
        case _:
            file = url.file(data / LOG_FILE)
            if create_as is not None and not file.exists():
                check_place_of_log(file)
            return await SqliteEventLog.open(file, create_as=create_as)


async def open_replica(url: LogUrl, data: Path, publication: str) -> CopyTarget:
    """Begin or go on with a copy of the publication's log at `url`.

    Raises `LogExists` where there is a finished log, `LogUnusable` where there is anything else in the way, and
    `LogUnavailable` where the server cannot be reached.
    """
    match url.engine:
        case "postgresql":
            try:
                from ledgerpress.adapters.postgres.connection import Server  # noqa: PLC0415
                from ledgerpress.adapters.postgres.copy_target import PostgresCopyTarget  # noqa: PLC0415 - an extra
            except ModuleNotFoundError as error:
                raise _missing(error, "asyncpg", "postgres") from error
            return await PostgresCopyTarget.open(
                Server(url.without(), str(url)), url.publication, publication
            )
        case "nats":
            try:
                from ledgerpress.adapters.jetstream.copy_target import JetStreamCopyTarget  # noqa: PLC0415
                from ledgerpress.adapters.jetstream.url import NatsUrl  # noqa: PLC0415
            except ModuleNotFoundError as error:
                raise _missing(error, "nats", "jetstream") from error
            return await JetStreamCopyTarget.open(NatsUrl.of(url.text), publication)
        case _:
            file = url.file(data / LOG_FILE)
            check_place_of_log(file)
            if url.is_local:
                check_data_directory(data, create=True)
            return await SqliteCopyTarget.open(file, publication)


def _missing(error: ModuleNotFoundError, library: str, extra: str) -> Exception:
    """Return what to raise where the adapter could not be imported: what to install, if it is that."""
    if (error.name or "").partition(".")[0] != library:
        return error
    return LogUnusable(f"{library} is missing, which that log takes: pip install 'ledgerpress[{extra}]'")
