"""The data directory: it holds the log and its views, or only the views of a node whose log is elsewhere."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from ledgerpress.eventlog.errors import LogUnusable

LOG_FILE: Final = "log.sqlite"
NODE_FILE: Final = "node.json"
"""In the directory of a node whose log is elsewhere: the publication whose views it holds."""
TEMPORARY: Final = ".aside-"
"""The prefix of directories in which something is written before it is moved to its place."""
_IGNORED: Final = (LOG_FILE, f".{LOG_FILE}.", TEMPORARY)
"""Prefixes of files that do not prevent a new log. An interrupted restore leaves files with the second one."""


class NodeRecord(msgspec.Struct, frozen=True):
    """The content of `NODE_FILE`: the UUID of the publication."""

    publication: str


def check_data_directory(data: Path, *, create: bool) -> None:
    """Check a directory with its own log, and create it with `create`. Raises `LogUnusable` if it is not one."""
    with _usable(data):
        _check_is_directory(data)
        log = data / LOG_FILE
        if (data / NODE_FILE).exists() and not log.exists():
            raise LogUnusable(
                f"{data} is the directory of a node whose log is elsewhere: say where with --log, or LEDGERPRESS_LOG"
            )
        others = data.exists() and any(not file.name.startswith(_IGNORED) for file in data.iterdir())
        if log.exists() and log.stat().st_size == 0 and others:
            raise LogUnusable(f"{log} is empty, yet there are views of it: restore it from a backup")
        if not log.exists():
            if not create:
                raise LogUnusable(f"there is no LedgerPress store in {data}")
            if others:
                raise LogUnusable(
                    f"{data} holds other files and no {LOG_FILE}: name an empty directory, or a new one"
                )
            create_directory(data)


def check_node_directory(data: Path, *, create: bool = True) -> None:
    """Check the directory of a node whose log is elsewhere, and create it with `create`.

    Raises `LogUnusable` if it holds a log of its own, or other files.
    """
    with _usable(data):
        _check_is_directory(data)
        if (data / LOG_FILE).exists():
            raise LogUnusable(
                f"{data} holds a log of its own, and another one was named: name another directory for this node "
                "(--data), or copy the log there first (ledgerpress log copy)"
            )
        files = [] if (data / NODE_FILE).exists() or not data.exists() else list(data.iterdir())
        if any(not file.name.startswith((NODE_FILE, TEMPORARY)) for file in files):
            raise LogUnusable(f"{data} holds other files: name an empty directory, or a new one")
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
            f"{file.parent} is the directory of a node whose log is elsewhere: name another place"
        )


def is_vacant(data: Path) -> bool:
    """Return whether `data` has no store, but could. Raises `LogUnusable` if it could not."""
    check_data_directory(data, create=True)
    return not (data / LOG_FILE).exists()


def claim_directory(data: Path, publication: str) -> None:
    """Record whose views the directory holds. Raises `LogUnusable` if they are another publication's."""
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
    """Put `directory` in the place of the empty directory `vacant`, durably."""
    vacant.rmdir()
    directory.rename(vacant)
    _sync(vacant.parent)


@contextmanager
def _usable(path: Path) -> Iterator[None]:
    """Raise an `OSError` as `LogUnusable`."""
    try:
        yield
    except OSError as error:
        raise LogUnusable(f"{path} cannot be used: {error.strerror}") from error


def _check_is_directory(data: Path) -> None:
    if data.exists() and not data.is_dir():
        raise LogUnusable(f"{data} is a file; a data directory is needed")


def _is_claimed_by(data: Path, publication: str) -> bool:
    known = known_publication(data)
    if known is not None and known != publication:
        raise LogUnusable(
            f"{data} is of the publication {known}, and the log is that of {publication}: name another directory "
            "(--data), or the log that the directory is of (--log)"
        )
    return known is not None


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
