"""Opens logs by their URLs: the one place that knows which adapter is for which engine."""

from collections.abc import Callable
from pathlib import Path

from ledgerpress.adapters.sqlite.log import SqliteEventLog
from ledgerpress.compose.data_directory import LOG_FILE
from ledgerpress.compose.log_url import LogUrl
from ledgerpress.eventlog.errors import LogUnusable
from ledgerpress.eventlog.log import OpenedLog


async def open_log(url: LogUrl, data: Path, *, create_as: Callable[[], str] | None) -> OpenedLog:
    """Open the log at `url`; where there is none, make one for the publication id that `create_as` returns.

    `data` is the data directory, where a log in a file is by default. Raises `LogUnusable` for a missing log that is
    not to be made, and for anything that is not a log which this program can use; `LogUnavailable` where the server
    cannot be reached.
    """
    match url.engine:
        case "postgresql":
            raise LogUnusable("the log in PostgreSQL is not there yet")
        case "nats":
            return await _open_jetstream(url, create_as)
        case _:
            return await SqliteEventLog.open(url.file(data / LOG_FILE), create_as=create_as)


async def _open_jetstream(url: LogUrl, create_as: Callable[[], str] | None) -> OpenedLog:
    try:
        # nats-py comes with the extra: a publication whose log is elsewhere has no need of it.
        from ledgerpress.adapters.jetstream.address import Address  # noqa: PLC0415
        from ledgerpress.adapters.jetstream.log import JetStreamEventLog  # noqa: PLC0415
    except ImportError as error:
        raise LogUnusable(
            "a log in NATS JetStream needs a package: pip install 'ledgerpress[jetstream]'"
        ) from error
    address = Address.parse(url.without(*url.parameters()), url.publication, url.parameters())
    return await JetStreamEventLog.open(address, create_as=create_as)
