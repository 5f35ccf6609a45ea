"""A file that appears whole under its name, or not at all: written under another name, synced, then named.

It gets its name by a link, which fails where the name is taken. So nothing is ever overwritten, and there is never a part
of a file under the name.
"""

import fcntl
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from ledgerpress.eventlog.errors import LogUnusable

SIDE_FILES: Final = ("-wal", "-shm", "-journal")
"""How the names of files end that SQLite has beside a database."""


def check_free(*paths: Path) -> None:
    """Raise `LogUnusable` where there is anything at one of `paths`."""
    for path in paths:
        if os.path.lexists(path):
            raise LogUnusable(f"{path} exists already, and is left as it is")


@contextmanager
def unfinished(target: Path) -> Iterator[Path]:
    """Yield the path of a new, empty file in the folder of `target`, which is gone at the end."""
    path = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}.unfinished")
    path.touch(mode=0o600, exist_ok=False)
    try:
        yield path
    finally:
        for end in ("", *SIDE_FILES):
            path.with_name(path.name + end).unlink(missing_ok=True)


def write_whole(target: BinaryIO, content: bytes | memoryview) -> None:
    """Write all of `content`: a file without a buffer may take a part, as on a disk that is about to be full."""
    left = memoryview(content)
    while left:
        left = left[target.write(left) :]


def sync(path: Path) -> None:
    """Return when the file, or the folder, is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        sync_open(descriptor)
    finally:
        os.close(descriptor)


def sync_open(descriptor: int) -> None:
    """Return when what was written to an open file is on disk."""
    if sys.platform == "darwin":
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fsync(descriptor)


def give_name(copy: Path, target: Path) -> None:
    """Have the file `copy` be at `target` too. Raises `FileExistsError` where there is something already."""
    try:
        target.hardlink_to(copy)
    except FileExistsError:
        raise
    except OSError:
        # A file system without links, such as that of many a memory stick.
        with target.open("xb"):
            pass
        copy.replace(target)
    sync(target.parent)
