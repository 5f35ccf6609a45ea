"""Backs up a log in a file while it is in use, and makes a store of a backup. Other engines have tools of their own."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from ledgerpress.adapters.sqlite_log.backup import backup, restore
from ledgerpress.eventlog.errors import LogUnusable
from ledgerpress.server.data_directory import LOG_FILE, check_data_directory, check_place_of_log
from ledgerpress.server.log_url import LOCAL, LogUrl

Progress = Callable[[int, int], None]

_OWN_TOOLS: Final = {
    "postgresql": "a log in PostgreSQL is backed up and restored with the server's own tools, pg_basebackup or pg_dump",
    "nats": "a log in NATS JetStream is backed up and restored with its own tool, nats stream backup and nats stream restore",
}


async def backup_log(data: Path, file: Path, *, log: str = LOCAL, progress: Progress | None = None) -> int:
    """Write a checked copy of the log at the URL `log` to `file`; return its head. Raises `LogUnusable`."""
    url = _of_a_file(
        log, "ledgerpress log copy URL sqlite:FILE writes a checked copy of it while it is in use"
    )
    if url.is_local:
        check_data_directory(data, create=False)
    return await backup(url.file(data / LOG_FILE), file, progress=progress)


async def restore_log(file: Path, data: Path, *, log: str = LOCAL, progress: Progress | None = None) -> int:
    """Make a log at the URL `log` of the copy in `file`; return its head. Raises `LogUnusable`."""
    url = _of_a_file(log, "ledgerpress log copy sqlite:FILE URL makes one there of a copy in a file")
    target = url.file(data / LOG_FILE)
    check_place_of_log(target)
    if url.is_local:
        if target.exists():
            raise LogUnusable(f"{data} holds a store already: restore into an empty directory, or a new one")
        check_data_directory(data, create=True)
    return await restore(file, target, progress=progress)


def _of_a_file(log: str, instead: str) -> LogUrl:
    url = LogUrl.parse(log)
    if own := _OWN_TOOLS.get(url.engine):
        raise LogUnusable(f"{own}; {instead}")
    return url
