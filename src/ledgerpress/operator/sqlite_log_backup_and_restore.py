"""Back up a log in a file while it is in use, and restore a backup. Other engines have their own tools."""

from pathlib import Path
from typing import Final

from ledgerpress.eventlog.errors import LogUnusable
from ledgerpress.operator import Progress
from ledgerpress.server.data_directory import LOG_FILE, check_data_directory, check_log_location
from ledgerpress.server.log_factory import copy_log_file
from ledgerpress.server.log_url import LOCAL, LogUrl

_OWN_TOOLS: Final = {
    "postgresql": "back up and restore a log in PostgreSQL with the server's own tools, pg_basebackup or pg_dump",
    "nats": "back up and restore a log in NATS JetStream with its own tool, nats stream backup and nats stream restore",
}


async def backup_log(data: Path, file: Path, *, log: str = LOCAL, progress: Progress | None = None) -> int:
    """Write a checked copy of the log at the URL `log` to `file`; return its head. Raises `LogUnusable`."""
    url = _file_url(log, "ledgerpress log copy URL sqlite:FILE writes a checked copy of a log that is in use")
    if url.is_local:
        check_data_directory(data, create=False)
    return await copy_log_file(url.file(data / LOG_FILE), file, progress=progress)


async def restore_log(file: Path, data: Path, *, log: str = LOCAL, progress: Progress | None = None) -> int:
    """Create a log at the URL `log` from the backup in `file`; return its head. Raises `LogUnusable`."""
    url = _file_url(log, "ledgerpress log copy sqlite:FILE URL creates a log there from a copy in a file")
    target = url.file(data / LOG_FILE)
    check_log_location(target)
    if url.is_local:
        if target.exists():
            raise LogUnusable(f"{data} already contains a store: restore into an empty or new directory")
        check_data_directory(data, create=True)
    return await copy_log_file(file, target, progress=progress)


def _file_url(log: str, alternative: str) -> LogUrl:
    url = LogUrl.parse(log)
    if own_tools := _OWN_TOOLS.get(url.engine):
        raise LogUnusable(f"{own_tools}; {alternative}")
    return url
