"""The directory that holds a store: what is in it, and how things come to stay there."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from ledgerpress.eventlog.errors import LogUnusable

LOG_FILE: Final = "log.sqlite"
NOTE: Final = "node.json"
"""In the directory of a node whose log is somewhere else: of which publication its views are."""
ASIDE: Final = ".aside-"
"""How the names of directories begin in which something is made before it is put in place."""
_OURS: Final = (LOG_FILE, f".{LOG_FILE}.", ASIDE)
"""How names begin of what does not keep a log from being made; the second, of what a killed restore has left."""


def check_data_directory(data: Path, *, create: bool) -> None:
    """Make the directory if need be. Raises `LogUnusable` where it is not one of ours."""
    try:
        if data.exists() and not data.is_dir():
            raise LogUnusable(f"{data} is a file; a data directory is needed")
        log = data / LOG_FILE
        if (data / NOTE).exists() and not log.exists():
            raise LogUnusable(
                f"{data} is the directory of a node whose log is elsewhere: say where with --log, or LEDGERPRESS_LOG"
            )
        others = data.exists() and any(not one.name.startswith(_OURS) for one in data.iterdir())
        if log.exists() and log.stat().st_size == 0 and others:
            raise LogUnusable(f"{log} is empty, yet there are views of it: restore it from a backup")
        if not log.exists():
            if not create:
                raise LogUnusable(f"there is no LedgerPress store in {data}")
            if others:
                raise LogUnusable(
                    f"{data} holds other files and no {LOG_FILE}: name an empty directory, or a new one"
                )
            make_directory(data)
    except OSError as error:
        raise LogUnusable(f"{data} cannot be used: {error.strerror}") from error


def check_place_of_log(file: Path) -> None:
    """Raise `LogUnusable` where `file` is in a node's directory: the node would not start beside a log."""
    if (file.parent / NOTE).exists():
        raise LogUnusable(
            f"{file.parent} is the directory of a node whose log is elsewhere: name another place"
        )


def check_views_directory(data: Path) -> None:
    """Raise `LogUnusable` where `data` can hold no views: it has neither a log nor a note of one elsewhere."""
    if not (data / NOTE).is_file():
        check_data_directory(data, create=False)


def make_directory(directory: Path) -> None:
    """Make a directory, and those above it that are missing, to stay: SQLite syncs no directory but the log's own.

    Like SQLite, it does without where a file system cannot sync a directory.
    """
    directory = directory.absolute()
    if directory.is_dir():
        return
    make_directory(directory.parent)
    directory.mkdir(exist_ok=True)
    _sync_directory(directory.parent)


def put_in_place(directory: Path, vacant: Path) -> None:
    vacant.rmdir()
    directory.rename(vacant)
    _sync_directory(vacant.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_vacant(data: Path) -> bool:
    """Return whether there is no store in `data` yet, but could be. Raises `LogUnusable` where there could not."""
    check_data_directory(data, create=True)
    return not (data / LOG_FILE).exists()
