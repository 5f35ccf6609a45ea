"""The data directory: it holds the log and its views, or only the views of a node whose log is elsewhere."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from ledgerpress.eventlog.errors import LogUnusable
from ledgerpress.system_errors import reason_of

LOG_FILE: Final = "log.sqlite"
NODE_FILE: Final = "node.json"
"""The file that names the publication of the views, in the directory of a node whose log is elsewhere."""
TEMPORARY: Final = ".aside-"
"""The prefix of temporary directories: files are written there and then moved to their place."""
WORKERS: Final = ".workers-"
"""The prefix of directories with the sockets of workers. Each supervisor has its own; a killed one leaves it."""
_IGNORED: Final = (LOG_FILE, f".{LOG_FILE}.", TEMPORARY, WORKERS)
"""Prefixes of files that do not prevent a new log. An interrupted restore leaves files with the second prefix."""


class NodeRecord(msgspec.Struct, frozen=True):
    """The content of `NODE_FILE`: the UUID of the publication."""

    publication: str


def check_data_directory(data: Path, *, create: bool) -> None:
    """Check that `data` has a log of its own. With `create`, also accept an empty directory, and create a missing one.

    Raises `LogUnusable`.
    """
    with _usable(data):
        _check_is_directory(data)
        log = data / LOG_FILE
        if (data / NODE_FILE).exists() and not log.exists():
            raise LogUnusable(
                f"{data} is the directory of a node whose log is elsewhere: set the log with --log or LEDGERPRESS_LOG"
            )
        others = data.exists() and any(not file.name.startswith(_IGNORED) for file in data.iterdir())
        if log.exists() and log.stat().st_size == 0 and others:
            raise LogUnusable(f"{log} is empty, but there are views of it: restore the log from a backup")
        if not log.exists():
            if not create:
                raise LogUnusable(f"there is no LedgerPress store in {data}")
            if others:
                raise LogUnusable(
                    f"{data} contains other files but no {LOG_FILE}: use a new or empty directory"
                )
            create_directory(data)


def check_node_directory(data: Path, *, create: bool = True) -> None:
    """Check the directory of a node whose log is elsewhere. With `create`, create a missing one.

    Raises `LogUnusable` if it contains a log of its own or other files.
    """
    with _usable(data):
        _check_is_directory(data)
        if (data / LOG_FILE).exists():
            raise LogUnusable(
                f"{data} contains a log of its own, but another log was specified: use another directory for this node "
                "(--data), or first copy the log to the other place (ledgerpress log copy)"
            )
        files = [] if (data / NODE_FILE).exists() or not data.exists() else list(data.iterdir())
        if any(not file.name.startswith((NODE_FILE, TEMPORARY, WORKERS)) for file in files):
            raise LogUnusable(f"{data} contains other files: use a new or empty directory")
        if create:
            create_directory(data)


def check_views_directory(data: Path) -> None:
    """Raise `LogUnusable` if `data` cannot hold views: it has neither a log nor a `NODE_FILE`."""
    if not (data / NODE_FILE).is_file():
        check_data_directory(data, create=False)


def check_log_location(file: Path) -> None:
    """Raise `LogUnusable` if `file` is in a node's directory: the node would not start with a log in it."""
    if (file.parent / NODE_FILE).exists():
        raise LogUnusable(
            f"{file.parent} is the directory of a node whose log is elsewhere: use a file in another directory"
        )


def is_vacant(data: Path) -> bool:
    """Return whether `data` has no store but can hold one. Raises `LogUnusable` if it cannot hold one."""
    check_data_directory(data, create=True)
    return not (data / LOG_FILE).exists()


def claim_directory(data: Path, publication: str) -> None:
    """Record the publication whose views the directory holds. Raises `LogUnusable` if they belong to another one."""
    with _usable(data / NODE_FILE):
        if not _is_claimed_by(data, publication):
            temporary = data / f"{NODE_FILE}.{os.getpid()}"
            temporary.write_bytes(msgspec.json.encode(NodeRecord(publication)))
            temporary.replace(data / NODE_FILE)


def check_claim(data: Path, publication: str) -> None:
    """Raise `LogUnusable` if the directory holds the views of another publication."""
    with _usable(data / NODE_FILE):
        _is_claimed_by(data, publication)


def known_publication(data: Path) -> str | None:
    """Return the publication whose views the directory holds, if it is recorded. Raises `OSError`."""
    try:
        return msgspec.json.decode((data / NODE_FILE).read_bytes(), type=NodeRecord).publication
    except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def create_directory(directory: Path) -> None:
    """Create a directory and its missing parents durably: SQLite syncs only the directory of the log.

    A file system that cannot sync a directory is accepted, as SQLite does.
    """
    directory = directory.absolute()
    if directory.is_dir():
        return
    create_directory(directory.parent)
    directory.mkdir(exist_ok=True)
    _sync(directory.parent)


def replace_directory(vacant: Path, directory: Path) -> None:
    """Replace the empty directory `vacant` with `directory`, durably."""
    vacant.rmdir()
    directory.rename(vacant)
    _sync(vacant.parent)


@contextmanager
def _usable(path: Path) -> Iterator[None]:
    """Turn an `OSError` into `LogUnusable`."""
    try:
        yield
    except OSError as error:
        raise LogUnusable(f"{path} cannot be used: {reason_of(error)}") from error


def _check_is_directory(data: Path) -> None:
    if data.exists() and not data.is_dir():
        raise LogUnusable(f"{data} is a file: use a directory")


def _is_claimed_by(data: Path, publication: str) -> bool:
    known = known_publication(data)
    if known is not None and known != publication:
        raise LogUnusable(
            f"{data} holds the views of publication {known}, but the log belongs to {publication}: use another "
            "directory (--data), or the log of these views (--log)"
        )
    return known is not None


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
