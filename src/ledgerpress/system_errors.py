"""The errors of the operating system and of SQLite in plain words: what is wrong, and what to do."""

import errno
import sqlite3
from typing import Final

_OF_SYSTEM: Final = {
    errno.EACCES: "this user has no permission; check the owner and the permissions",
    errno.EADDRINUSE: "another program uses it",
    errno.EADDRNOTAVAIL: "this machine does not have this address",
    errno.EDQUOT: "the quota of this user is exhausted; delete files or raise it",
    errno.EEXIST: "it exists already; choose another name",
    errno.EFBIG: "the file is larger than the file system or a limit (ulimit -f) allows",
    errno.EIO: "the device reports a fault; check the disk",
    errno.EISDIR: "it is a directory, not a file",
    errno.ELOOP: "its symbolic links lead in a circle",
    errno.EMFILE: "this process has too many open files; raise the limit (ulimit -n)",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ENFILE: "the system has too many open files",
    errno.ENODEV: "there is no such device",
    errno.ENOENT: "it does not exist; check the path",
    errno.ENOSPC: "no space is left on the disk; delete files, or use another disk",
    errno.ENOTDIR: "a part of the path is a file, not a directory",
    errno.EPERM: "the operating system does not allow it; check the owner and the permissions",
    errno.EROFS: "the file system is read-only; use another place, or mount it for writing",
    errno.ETIMEDOUT: "it did not answer in time",
    errno.ECONNREFUSED: "nothing answers at this address; check that the server is running",
}
_OF_SQLITE: Final = {
    "SQLITE_BUSY": "another process has locked the file; find it, for example with fuser(1), and end it, or try again",
    "SQLITE_LOCKED": "another connection has locked the file; try again",
    "SQLITE_CANTOPEN": "it does not exist, or this user has no permission to open it; check the path and the owner",
    "SQLITE_CORRUPT": "it is damaged; restore a backup, or delete it if it contains only views",
    "SQLITE_FULL": "the disk is full; free space on it, or use another disk",
    "SQLITE_IOERR": "the disk is full or failed; check its free space and the messages of the kernel",
    "SQLITE_NOMEM": "there is not enough memory",
    "SQLITE_NOTADB": "it is not a SQLite database",
    "SQLITE_PERM": "this user has no permission; check the owner and the permissions",
    "SQLITE_PROTOCOL": "other processes hold the locks of the file",
    "SQLITE_READONLY": "it cannot be written; check the permissions, and whether the file system is read-only",
    "SQLITE_TOOBIG": "a value in it is too large",
}


def reason_of(error: OSError | sqlite3.Error) -> str:
    """Return why the operating system or SQLite failed, and what to do.

    An error without a known reason is described with its number or name, which identifies it in their documentation.
    """
    if isinstance(error, sqlite3.Error):
        name = getattr(error, "sqlite_errorname", "")
        return _OF_SQLITE.get("_".join(name.split("_")[:2])) or (
            f"SQLite reports {name}" if name else "its tables are not those of this version"
        )
    number = error.errno
    return _OF_SYSTEM.get(number or 0) or (
        f"the operating system reports {errno.errorcode.get(number, str(number))}"
        if number
        else "the operating system reports no reason"
    )
